/**
 * Which port a NAT that counts will give next: from the ports that several reflectors, asked one after the other, saw of
 * one socket. Such a NAT maps by destination, and yet its ports are no secret (RFC 5128 section 3.5).
 */

/** Ports of NATs: those below are not assigned (RFC 4787 section 4.2.2). */
export const FIRST_PORT = 1_024
export const LAST_PORT = 65_535
const PORTS = LAST_PORT - FIRST_PORT + 1

/** Between two questions others behind the NAT may have taken ports too, but not many in a moment. */
const LARGEST_STEP = 16

/** How far ahead: as many ports as the hard side opens, so that it passes through them all. */
const AHEAD = 256

/** The step by which the ports count, negative where they count down; undefined where they do not. */
export function countingStep(seen: readonly number[]): number | undefined {
  const steps = seen.slice(1).map((port, index) => distance(seen[index] ?? port, port))
  if (steps.length === 0) return undefined
  const isUp = steps.every((step) => step > 0 && step <= LARGEST_STEP)
  const isDown = steps.every((step) => step < 0 && -step <= LARGEST_STEP)
  if (!isUp && !isDown) return undefined
  const size = steps.map(Math.abs).reduce(greatestCommonDivisor)
  return isUp ? size : -size
}

/** The ports to try, the most likely first: those that come after the last one seen. None where the ports do not count. */
export function predictedPorts(seen: readonly number[]): readonly number[] {
  const step = countingStep(seen)
  const last = seen.at(-1)
  if (step === undefined || last === undefined) return []
  return Array.from({ length: AHEAD }, (_, index) => wrapped(last + step * (index + 1)))
}

/** From one port to another, the shorter way round. */
function distance(from: number, to: number): number {
  const up = (to - from + PORTS) % PORTS
  return up > PORTS / 2 ? up - PORTS : up
}

/** After the last port comes the first. */
function wrapped(port: number): number {
  return FIRST_PORT + ((((port - FIRST_PORT) % PORTS) + PORTS) % PORTS)
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b)
}
