/**
 * The life of `up` and `bootstrap` in the foreground: started, ended by a signal or by itself, put back; told to the service
 * manager, if there is one.
 */

import { causeOf } from '../base/userError.js'
import type { Logger } from '../daemon/logger.js'
import type { RunningNode } from '../daemon/runningNode.js'
import type { ServiceManager } from '../io/serviceManager.js'

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

/** How many signs of life are given in the time in which one is wanted: a busy moment is no reason to be ended. */
const SIGNS_IN_TIME = 3

/**
 * Runs a node until SIGTERM, SIGINT or SIGHUP (its terminal was closed), then stops it. A second signal does not wait for
 * that and ends the process with 1. Throws what starting throws, and the reason where the node ended by itself.
 *
 * An exception that nobody caught ends the node as well: what was changed on the system is put back first. A promise that
 * was rejected and that nobody waits for does not: no code was interrupted, and a network should not fail for a connection
 * that ended while a library did not look. It is logged.
 */
export async function runNode(
  start: () => Promise<RunningNode>,
  logger: Logger,
  manager?: ServiceManager,
): Promise<void> {
  let end: (reason: Error | undefined) => void = () => undefined
  const ended = new Promise<Error | undefined>((resolve) => {
    end = resolve
  })
  let signals = 0
  const onSignal = (signal: NodeJS.Signals): void => {
    signals++
    if (signals > 1) process.exit(1)
    logger.info({ signal }, 'stopping')
    end(undefined)
  }
  const onException = (error: unknown): void => {
    logger.fatal({ err: error }, 'unexpected error')
    end(error instanceof Error ? error : new Error(causeOf(error)))
  }
  const onRejection = (error: unknown): void => {
    logger.error({ err: error }, 'unexpected rejection')
  }
  for (const signal of SIGNALS) process.on(signal, onSignal)
  process.on('uncaughtException', onException)
  process.on('unhandledRejection', onRejection)
  let signs: NodeJS.Timeout | undefined
  try {
    const node = await start()
    if (manager?.ready() === false) logger.warn('cannot tell the service manager that we are up')
    if (manager?.watchdogMs !== undefined)
      signs = setInterval(() => manager.alive(), manager.watchdogMs / SIGNS_IN_TIME)
    const reason = await Promise.race([ended, node.failed])
    manager?.stopping()
    await node.stop()
    if (reason !== undefined) throw reason
  } finally {
    clearInterval(signs)
    for (const signal of SIGNALS) process.off(signal, onSignal)
    process.off('uncaughtException', onException)
    process.off('unhandledRejection', onRejection)
  }
}
