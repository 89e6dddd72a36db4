/** A host of the laboratory that is a name server, whose names a test sets; daemons are told of it by a resolv.conf. */

import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Laboratory } from './laboratory.js'
import type { NameServerFile } from './programs/nameServer.js'

const PROGRAM = fileURLToPath(new URL('./programs/nameServer.js', import.meta.url))

export class NameServer {
  /** To be bound over /etc/resolv.conf. */
  readonly resolvConf: string
  readonly #file: string

  private constructor(directory: string) {
    this.resolvConf = join(directory, 'resolv.conf')
    this.#file = join(directory, 'names.json')
  }

  static async start(lab: Laboratory): Promise<NameServer> {
    const host = await lab.host({ name: 'names' })
    const server = new NameServer(lab.directory)
    await server.set({})
    await writeFile(server.resolvConf, `nameserver ${host.address}\n`)
    await host.spawn(process.execPath, [PROGRAM, server.#file]).waitForOutput(/ready/)
    return server
  }

  /** These names there are from now on, and no others. */
  set(names: NameServerFile['names']): Promise<void> {
    return this.#write({ names })
  }

  /** It answers nothing from now on, until names are set. */
  fallSilent(): Promise<void> {
    return this.#write({ names: {}, silent: true })
  }

  async #write(content: NameServerFile): Promise<void> {
    await writeFile(`${this.#file}.new`, JSON.stringify(content))
    await rename(`${this.#file}.new`, this.#file)
  }
}
