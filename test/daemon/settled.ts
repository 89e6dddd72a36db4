/** For tests with mocked timers: resolves when all that is due without a timer has happened. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
