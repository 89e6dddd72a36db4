/**
 * A node goes on as another one where its interface is renamed, or gets another private key: it is stopped, with all that
 * belongs to that, and started again.
 *
 *   running ── SucceededError ──► stopping ──► starting ──► running
 *                                                │  ▲
 *                                                └──┘ cannot start: tried again each second
 */

import { setTimeout as pause } from 'node:timers/promises'
import { SECOND } from '../base/time.js'
import { causeOf } from '../base/userError.js'
import type { Logger } from './logger.js'
import type { RunningNode } from './runningNode.js'

const AGAIN_MS = SECOND

/** Why a node cannot go on, while another one in its place can. */
export class SucceededError extends Error {
  /** What the interface is called now. */
  readonly interface: string

  constructor(message: string, interfaceName: string) {
    super(message)
    this.interface = interfaceName
  }
}

/**
 * Starts the node of an interface, and its successors; one that cannot start is tried again each `againMs`. Throws what
 * the first start throws.
 */
export async function startWithSuccessors(
  interfaceName: string,
  start: (interfaceName: string) => Promise<RunningNode>,
  log: Logger,
  againMs = AGAIN_MS,
): Promise<RunningNode> {
  let node: RunningNode | undefined = await start(interfaceName)
  const stopped = new AbortController()
  const stopping = aborted(stopped.signal)

  const succeed = async (name: string): Promise<void> => {
    await node?.stop()
    node = undefined
    for (let isSaid = false; !stopped.signal.aborted; isSaid = true) {
      try {
        node = await start(name)
        return
      } catch (error) {
        if (!isSaid) log.warn({ cause: causeOf(error) }, 'cannot start again yet; it is tried on')
        await pause(againMs, undefined, { signal: stopped.signal }).catch(() => undefined)
      }
    }
  }
  const run = async (): Promise<Error | undefined> => {
    while (node !== undefined) {
      const reason = await Promise.race([node.failed, stopping])
      if (!(reason instanceof SucceededError)) return reason
      log.warn(reason.message)
      await succeed(reason.interface)
    }
    return undefined
  }

  const running = run()
  return {
    failed: running.then((reason) => reason ?? new Promise(() => undefined)),
    async stop() {
      stopped.abort()
      await running
      await node?.stop()
    },
  }
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
}
