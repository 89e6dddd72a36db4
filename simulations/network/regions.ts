/**
 * Where on earth something is, and how far that is from elsewhere.
 *
 * The figures are half of the round trips that cloud providers publish between their data centres in Frankfurt, northern
 * Virginia, Oregon, São Paulo, Tokyo and Sydney, rounded to a millisecond. They are of the long way only: an access link
 * adds its own delay. Within a region it is the way between two cities a day's drive apart.
 */

export const REGIONS = [
  'europe',
  'north-america-east',
  'north-america-west',
  'south-america',
  'asia',
  'oceania',
] as const

export type Region = (typeof REGIONS)[number]

const WITHIN_MS = 8

const ONE_WAY_MS: readonly (readonly [Region, Region, number])[] = [
  ['europe', 'north-america-east', 45],
  ['europe', 'north-america-west', 72],
  ['europe', 'south-america', 102],
  ['europe', 'asia', 112],
  ['europe', 'oceania', 140],
  ['north-america-east', 'north-america-west', 32],
  ['north-america-east', 'south-america', 57],
  ['north-america-east', 'asia', 76],
  ['north-america-east', 'oceania', 100],
  ['north-america-west', 'south-america', 87],
  ['north-america-west', 'asia', 49],
  ['north-america-west', 'oceania', 70],
  ['south-america', 'asia', 128],
  ['south-america', 'oceania', 156],
  ['asia', 'oceania', 54],
]

/** How long a datagram is under way from one region to another, in milliseconds, one way. */
export function delayBetween(from: Region, to: Region): number {
  if (from === to) return WITHIN_MS
  const found = ONE_WAY_MS.find(([a, b]) => (a === from && b === to) || (a === to && b === from))
  if (found === undefined) throw new Error(`no delay is known between ${from} and ${to}`)
  return found[2]
}
