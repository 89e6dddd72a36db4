/** How a quantity grows with the size of a fleet: the curve of one of two kinds that fits what was measured better. */

/** A quantity of a fleet of so many nodes. */
export interface Observation {
  readonly nodes: number
  readonly value: number
}

export interface Curve {
  /** `offset + slope * log2(nodes)`, or `offset * nodes ** slope`. */
  readonly kind: 'logarithmic' | 'power'
  readonly offset: number
  readonly slope: number
  /** The largest difference between the curve and what was measured, as a share of what was measured. */
  readonly error: number
}

/** Undefined for fewer than two sizes. */
export function fit(observations: readonly Observation[]): Curve | undefined {
  if (new Set(observations.map(({ nodes }) => nodes)).size < 2) return undefined
  const logarithmic = judged('logarithmic', line(observations), observations)
  // What is nothing somewhere has no power.
  if (observations.some(({ value }) => value <= 0)) return logarithmic
  const inLogarithms = observations.map(({ nodes, value }) => ({ nodes, value: Math.log2(value) }))
  const { offset, slope } = line(inLogarithms)
  const power = judged('power', { offset: 2 ** offset, slope }, observations)
  return logarithmic.error <= power.error ? logarithmic : power
}

export function valueAt({ kind, offset, slope }: Omit<Curve, 'error'>, nodes: number): number {
  return kind === 'logarithmic' ? offset + slope * Math.log2(nodes) : offset * nodes ** slope
}

/** `12.3 + 4.5 log₂ N`, `1.2 N^0.8`, or a figure where it does not change. */
export function curveText({ kind, offset, slope }: Curve): string {
  if (kind === 'power') return `${figure(offset)} N^${figure(slope)}`
  if (figure(slope) === '0') return figure(offset)
  return `${figure(offset)} ${slope < 0 ? '−' : '+'} ${figure(Math.abs(slope))} log₂ N`
}

function figure(value: number): string {
  // A slope of less than a millionth is what is left of rounding.
  return Math.abs(value) < 1e-6 ? '0' : Number(value.toPrecision(3)).toString()
}

/** The line through the values over log2(nodes), by least squares. */
function line(observations: readonly Observation[]): Pick<Curve, 'offset' | 'slope'> {
  const points = observations.map(({ nodes, value }) => ({ x: Math.log2(nodes), y: value }))
  const mean = (of: (point: (typeof points)[0]) => number): number =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length
  const [x, y] = [mean((point) => point.x), mean((point) => point.y)]
  const slope = mean((point) => (point.x - x) * (point.y - y)) / mean((point) => (point.x - x) ** 2)
  return { slope, offset: y - slope * x }
}

function judged(
  kind: Curve['kind'],
  shape: Pick<Curve, 'offset' | 'slope'>,
  observations: readonly Observation[],
): Curve {
  const errors = observations.map(({ nodes, value }) => {
    const off = Math.abs(valueAt({ kind, ...shape }, nodes) - value)
    return value === 0 ? off : off / Math.abs(value)
  })
  return { kind, ...shape, error: Math.max(...errors) }
}
