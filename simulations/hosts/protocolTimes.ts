/** WireGuard's times (whitepaper section 6.1; the kernel's messages.h), in milliseconds. */

import { type Random, randomBelow } from '../../src/base/random.js'
import { SECOND } from '../../src/base/time.js'

export const REKEY_AFTER_MS = 120 * SECOND
export const REJECT_AFTER_MS = 180 * SECOND
export const REKEY_ATTEMPT_MS = 90 * SECOND
export const REKEY_TIMEOUT_MS = 5 * SECOND
export const KEEPALIVE_TIMEOUT_MS = 10 * SECOND

/** How long after the last session was made all keys are forgotten. */
export const FORGET_AFTER_MS = 3 * REJECT_AFTER_MS

/** First messages of a peer are taken no more often than this (INITIATIONS_PER_SECOND). */
export const FLOOD_MS = SECOND / 50

/** What is added to waits for an answer is below this: two ends must not keep in step. */
const JITTER_MS = 334

export function drawJitterMs(random: Random): number {
  return randomBelow(random, JITTER_MS)
}
