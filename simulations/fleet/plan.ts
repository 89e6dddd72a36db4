/**
 * What a fleet should expect, and what it needs: lives of smaller fleets with the same habits are played, and what grows
 * with their size is carried on along the curve that fits.
 */

import type { Outcome } from '../report/document.js'
import { distributionOf, figureOf, nodesOf } from '../report/figureOf.js'
import { type Curve, curveText, fit, valueAt } from './growth.js'
import { MAX_CONNECTIONS } from './network.js'

/** What its user knows of a fleet. */
export interface Wish {
  /** Machines that are there at a time. */
  readonly nodes: number
  readonly medianSessionMs: number
  /** The share of machines that others can reach, and which serve: 0 to 1. */
  readonly relayShare: number
}

export interface Expected {
  readonly what: string
  readonly unit: string
  readonly value: number
  /** What it was read from: a run of this size, or the curve. */
  readonly basis: string
}

export interface Plan {
  readonly expected: readonly Expected[]
  readonly bootstrapNodes: number
  readonly relays: number
  /** Why, and where the design ends: a sentence each. */
  readonly advice: readonly string[]
}

/** Fleets of up to this size are played as they are. */
const PLAYED_NODES = 1_600
/** The sizes that are played for larger ones. */
const SIZES = [400, 800, 1_600] as const

export function sizesFor(nodes: number): readonly number[] {
  return nodes <= PLAYED_NODES ? [nodes] : SIZES
}

/** One may be down while another is being replaced, and there is a third. */
const BOOTSTRAP_NODES = 3
/** Each machine that does not serve has a reservation at two relays. */
const RESERVATIONS_EACH = 2
/** A relay keeps so many reservations (src/io/mesh/relayServer.ts). */
const RESERVATIONS_MAX = 4_096
/** So much of a limit is planned for: half of the relays may vanish. */
const PLANNED_SHARE = 0.5

/** All that is told of a fleet, and where it is read. */
const QUANTITIES: readonly {
  readonly what: string
  readonly unit: string
  readonly of: (outcome: Outcome) => number
  /** A share has no curve: the least of those seen counts, or their mean. */
  readonly share?: 'least' | 'mean'
}[] = [
  {
    what: 'look-ups of peers that are there: found',
    unit: '%',
    of: (outcome) => figureOf(outcome, 'found'),
    share: 'least',
  },
  { what: 'first look-up of a session, median', unit: 'ms', of: median('cold-look-up') },
  { what: 'first look-up of a session, 95 %', unit: 'ms', of: p95('cold-look-up') },
  { what: 'first packet to first answer, 95 %', unit: 'ms', of: p95('connect') },
  { what: 'requests of a look-up', unit: 'requests', of: median('asked') },
  {
    what: 'talks over a relay',
    unit: '%',
    of: (outcome) => figureOf(outcome, 'relayed'),
    share: 'mean',
  },
  { what: 'traffic of a client, both ways', unit: 'bytes/s', of: median('client-bytes') },
  { what: 'traffic of a server, both ways', unit: 'bytes/s', of: median('server-bytes') },
  { what: 'traffic of a bootstrap node, both ways', unit: 'bytes/s', of: median('bootstrap-bytes') },
  { what: 'records at a server', unit: 'records', of: median('server-records') },
]

export function makePlan({ nodes, relayShare }: Wish, outcomes: readonly Outcome[]): Plan {
  const expected = QUANTITIES.map(({ what, unit, of, share }): Expected => {
    const values = outcomes.map((outcome) => ({ nodes: nodesOf(outcome), value: of(outcome) }))
    const played = values.find((each) => each.nodes === nodes)
    if (played !== undefined) return { what, unit, value: played.value, basis: 'played' }
    if (share === 'least')
      return {
        what,
        unit,
        value: Math.min(...values.map(({ value }) => value)),
        basis: 'least of those played',
      }
    if (share === 'mean') {
      const sum = values.reduce((all, { value }) => all + value, 0)
      return { what, unit, value: sum / values.length, basis: 'mean of those played' }
    }
    const curve: Curve | undefined = fit(values.filter(({ value }) => Number.isFinite(value)))
    if (curve === undefined) return { what, unit, value: Number.NaN, basis: 'not seen' }
    return { what, unit, value: Math.max(0, valueAt(curve, nodes)), basis: curveText(curve) }
  })
  const clients = nodes * (1 - relayShare)
  const reservations = clients * RESERVATIONS_EACH
  const relays = Math.max(RESERVATIONS_EACH + 1, Math.ceil(reservations / (RESERVATIONS_MAX * PLANNED_SHARE)))
  const servers = Math.round(nodes * relayShare) + BOOTSTRAP_NODES
  return {
    expected,
    bootstrapNodes: BOOTSTRAP_NODES,
    relays,
    advice: [
      `Every machine keeps a connection to every bootstrap node that has room, and ${BOOTSTRAP_NODES} are enough for one to be down and one to be replaced; more of them cost every machine a connection each and carry no more.`,
      nodes > MAX_CONNECTIONS.serving
        ? `A bootstrap node has room for ${MAX_CONNECTIONS.serving} connections: of ${nodes} machines, ${Math.round((100 * (nodes - MAX_CONNECTIONS.serving)) / nodes)} % get none and live by the servers they remember. A new machine finds them full: name other bootstrap nodes to each ${MAX_CONNECTIONS.serving} machines, ${Math.ceil(nodes / (MAX_CONNECTIONS.serving * PLANNED_SHARE))} groups of them.`
        : `A bootstrap node has room for ${MAX_CONNECTIONS.serving} connections, and ${nodes} machines take ${Math.round((100 * nodes) / MAX_CONNECTIONS.serving)} % of it.`,
      servers >= relays
        ? `${Math.round(reservations)} reservations want ${relays} relays, of which half may vanish at once; ${servers} are there.`
        : `${Math.round(reservations)} reservations want ${relays} relays, of which half may vanish at once, and only ${servers} are there: let more machines be reachable.`,
    ],
  }
}

function median(name: string): (outcome: Outcome) => number {
  return (outcome) => distributionOf(outcome, name).median ?? Number.NaN
}

function p95(name: string): (outcome: Outcome) => number {
  return (outcome) => distributionOf(outcome, name).p95 ?? Number.NaN
}
