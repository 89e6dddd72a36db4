/** A `wg` of a test's own, found before the real one: it prints what it is told to, and notes down what it is asked. */

import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import type { TestContext } from 'node:test'
import type { PublicKey } from '../../src/base/publicKey.js'
import { temporaryDirectory } from './temporaryDirectory.js'

const SCRIPT = `#!/bin/sh
cd "$(dirname "$0")"
echo "$*" >>calls
if [ -s failure ]; then cat failure >&2; exit 1; fi
case "$*" in
  'show interfaces') cat interfaces ;;
  show*dump) cat dump ;;
esac
`

export interface FakePeer {
  readonly publicKey: PublicKey
  /** As `wg` prints it. */
  readonly endpoint?: string
}

export class FakeWg {
  readonly #directory: string

  private constructor(directory: string) {
    this.#directory = directory
  }

  /** Takes the place of `wg` until the end of the test. */
  static async install(t: TestContext): Promise<FakeWg> {
    const directory = await temporaryDirectory(t)
    for (const file of ['calls', 'failure', 'interfaces', 'dump']) await writeFile(join(directory, file), '')
    await writeFile(join(directory, 'wg'), SCRIPT, { mode: 0o700 })
    const { PATH = '' } = process.env
    Object.assign(process.env, { PATH: [directory, PATH].join(delimiter) })
    t.after(() => {
      Object.assign(process.env, { PATH })
    })
    return new FakeWg(directory)
  }

  /** What `wg show interfaces` prints. */
  async listInterfaces(...names: readonly string[]): Promise<void> {
    await writeFile(join(this.#directory, 'interfaces'), `${names.join(' ')}\n`)
  }

  /** What `wg show … dump` prints. The interface's keys are no pair, and its private key is nobody's. */
  async dump(publicKey: PublicKey, listenPort: number, peers: readonly FakePeer[] = []): Promise<void> {
    const lines = [
      [Buffer.alloc(32, 1).toString('base64'), publicKey, listenPort, 'off'],
      ...peers.map((peer) => [
        ...[peer.publicKey, '(none)', peer.endpoint ?? '(none)', '10.0.0.0/24', 0, 0, 0, 'off'],
      ]),
    ]
    await writeFile(join(this.#directory, 'dump'), lines.map((fields) => `${fields.join('\t')}\n`).join(''))
  }

  /** It fails from now on and says why; or no longer, with ''. */
  async fail(why: string): Promise<void> {
    await writeFile(join(this.#directory, 'failure'), why)
  }

  /** The arguments of each call that changed something. */
  get changes(): readonly string[] {
    return readFileSync(join(this.#directory, 'calls'), 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('set '))
  }
}
