/**
 * Signals that abort after a time.
 *
 * `AbortSignal.timeout` is not used for that. Node (20.20 at least) holds such a signal by a weak reference only, and so does
 * a signal of `AbortSignal.any` its sources: once the garbage collector has come by, what waits for
 * `AbortSignal.any([signal, AbortSignal.timeout(ms)])` waits for good.
 */

/** Aborts after `ms` with a TimeoutError, as `AbortSignal.timeout` does, or with `signal`. Keeps no process alive. */
export function within(ms: number, signal?: AbortSignal): AbortSignal {
  const deadline = new AbortController()
  // The timer holds the controller until then.
  setTimeout(() => deadline.abort(new DOMException(`it took more than ${ms} ms`, 'TimeoutError')), ms).unref()
  return signal === undefined ? deadline.signal : AbortSignal.any([signal, deadline.signal])
}
