/** A started node, as the command line holds it. */

import type { Logger } from './logger.js'
import { Undo } from './undo.js'

export interface RunningNode {
  /** Puts back what was changed and leaves nothing behind. May be called once. */
  stop(): Promise<void>
  /** Fulfilled (never rejected) where the node cannot go on by itself: its interface vanished, for one. */
  readonly failed: Promise<Error>
}

/** The promise of a node that has no reason to end by itself. */
export const NEVER: Promise<never> = new Promise(() => undefined)

/**
 * Starts a node step by step; `start` says for each step how it is undone. Where a step fails, those before it are undone
 * and the reason is thrown.
 */
export async function startNode(
  log: Logger,
  start: (undo: Undo) => Promise<{ readonly failed: Promise<Error> }>,
): Promise<RunningNode> {
  const undo = new Undo(log)
  try {
    const { failed } = await start(undo)
    return { stop: () => undo.run(), failed }
  } catch (error) {
    await undo.run()
    throw error
  }
}
