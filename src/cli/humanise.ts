/** Numbers as people read them, in the spelling of `wg show`. */

const UNITS = [
  ['year', 31_536_000],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
] as const

/** `1 hour, 2 minutes, 3 seconds`; units of which there are none are left out. Below one second: `0 seconds`. */
export function humaniseSeconds(seconds: number): string {
  let left = Math.max(0, Math.floor(seconds))
  const parts: string[] = []
  for (const [unit, length] of UNITS) {
    const count = Math.floor(left / length)
    left %= length
    if (count > 0) parts.push(plural(count, unit))
  }
  return parts.length === 0 ? '0 seconds' : parts.join(', ')
}

/** `3 seconds ago`, or `now`. */
export function humaniseAge(seconds: number): string {
  return seconds < 1 ? 'now' : `${humaniseSeconds(seconds)} ago`
}

/** `512 B`, `1.50 KiB`, up to TiB. */
export function humaniseBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`
  let value = bytes
  let unit = 'B'
  for (unit of ['KiB', 'MiB', 'GiB', 'TiB']) {
    value /= 1024
    if (value < 1024) break
  }
  return `${value.toFixed(2)} ${unit}`
}

/** `1 peer`, `2 peers`. */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
