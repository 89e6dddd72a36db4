/** `tunnelbore resolve`: has a running node look a record up. */

import { basename } from 'node:path'
import { type PublicKey, parsePublicKey } from '../base/publicKey.js'
import { UserError } from '../base/userError.js'
import { askResolve, askStatus, NotRunningError } from '../daemon/controlClient.js'
import { controlSocketPath, listNodes } from '../daemon/runDirectory.js'
import type { ResolvedRecord } from '../daemon/status.js'
import { paintFor } from './colours.js'
import { renderRecord } from './recordTable.js'
import { noNodeRuns } from './statusCommand.js'

export interface ResolveOptions {
  /** An interface, or `bootstrap`, whose node is to ask; undefined: the first that answers. */
  readonly node: string | undefined
  readonly runDir: string
  readonly json: boolean
}

/** Prints the record of a WireGuard public key. Throws a UserError where there is none. */
export async function printRecord(keyText: string, options: ResolveOptions): Promise<void> {
  const key = parsePublicKey(keyText)
  if (key === undefined) {
    throw new UserError(
      `${JSON.stringify(keyText)} is no WireGuard public key; give it as wg prints it, 44 characters in base64`,
      2,
    )
  }
  const record = await firstAnswer(options, async (path) => {
    const found = await askResolve(path, key)
    if (found === undefined && !(await askStatus(path)).mesh.enabled) throw withoutMesh(path, key)
    return found
  })
  if (record === undefined) {
    throw new UserError(`no record of ${key}; see that tunnelbore runs there, in the same network`)
  }
  const text = options.json
    ? `${JSON.stringify(record, undefined, 2)}\n`
    : renderRecord(record, paintFor(process.stdout))
  process.stdout.write(text)
}

function withoutMesh(path: string, key: PublicKey): UserError {
  return new UserError(
    `the node ${basename(path, '.sock')} runs with --no-mesh and looks no record up; start it without, or say where the peer is with --peer ${key}=<host>:<port>`,
  )
}

async function firstAnswer(
  { node, runDir }: ResolveOptions,
  ask: (path: string) => Promise<ResolvedRecord | undefined>,
): Promise<ResolvedRecord | undefined> {
  if (node !== undefined) return await ask(controlSocketPath(runDir, node))
  for (const name of await listNodes(runDir)) {
    try {
      return await ask(controlSocketPath(runDir, name))
    } catch (error) {
      if (!(error instanceof NotRunningError)) throw error
    }
  }
  throw new UserError(noNodeRuns(runDir))
}
