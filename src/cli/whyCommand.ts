/** `tunnelbore why`: has a running node say why a peer is as it is. */

import { type PublicKey, parsePublicKey } from '../base/publicKey.js'
import { UserError } from '../base/userError.js'
import { askWhy, NotRunningError } from '../daemon/controlClient.js'
import { controlSocketPath, listNodes } from '../daemon/runDirectory.js'
import type { Explanation } from '../engine/why.js'
import { paintFor } from './colours.js'
import { noNodeRuns } from './statusCommand.js'
import { renderWhy } from './whyText.js'

export interface WhyOptions {
  /** An interface whose node is to ask; undefined: the first that has the peer. */
  readonly node: string | undefined
  readonly runDir: string
  readonly json: boolean
}

/** Prints the explanation. Throws a UserError where no node has such a peer. */
export async function printWhy(keyText: string, options: WhyOptions): Promise<void> {
  const key = parsePublicKey(keyText)
  if (key === undefined) {
    throw new UserError(
      `${JSON.stringify(keyText)} is no WireGuard public key; give it as wg prints it, 44 characters in base64`,
      2,
    )
  }
  const explanation = await firstThatKnows(key, options)
  if (explanation === undefined) {
    const which = options.node === undefined ? 'any interface beside which tunnelbore runs' : options.node
    throw new UserError(
      `${key} is no peer of ${which}; add it with: wg set ${options.node ?? '<interface>'} peer ${key} allowed-ips …`,
    )
  }
  const text = options.json
    ? `${JSON.stringify({ publicKey: key, ...explanation }, undefined, 2)}\n`
    : renderWhy(key, explanation, paintFor(process.stdout))
  process.stdout.write(text)
}

async function firstThatKnows(
  key: PublicKey,
  { node, runDir }: WhyOptions,
): Promise<Explanation | undefined> {
  if (node !== undefined) return await askWhy(controlSocketPath(runDir, node), key)
  let someRuns = false
  for (const name of await listNodes(runDir)) {
    try {
      const explanation = await askWhy(controlSocketPath(runDir, name), key)
      if (explanation !== undefined) return explanation
      someRuns = true
    } catch (error) {
      if (!(error instanceof NotRunningError)) throw error
    }
  }
  if (!someRuns) throw new UserError(noNodeRuns(runDir))
  return undefined
}
