/** Waits for a condition instead of for a time. */

import { setTimeout as sleep } from 'node:timers/promises'

/** Resolves as soon as `isTrue` is, which is asked every 5 ms; rejects after 20 s, naming `what` was waited for. */
export async function until(what: string, isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000
  while (!(await isTrue())) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`)
    await sleep(5)
  }
}
