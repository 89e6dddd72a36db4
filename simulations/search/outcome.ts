/** What comes of running a case. */

import type { Case } from './case.js'

/** Something happened that must never happen, or did not that must. */
export interface Violation {
  /** The invariant's name: two cases fail alike where it is the same. */
  readonly invariant: string
  /** What happened, in words. */
  readonly what: string
  /** Milliseconds of simulated time since the beginning. */
  readonly atMs: number
}

/** What tells that a run was worth its while: all are sums. */
export interface CaseStatistics {
  readonly simulatedMs: number
  /** Datagrams that hosts sent. */
  readonly datagrams: number
  readonly pings: number
  readonly answeredPings: number
  /** Pairs that wanted each other in peace and could meet, and those that took longer than the goal of 10 s. */
  readonly contacts: number
  readonly lateContacts: number
  /** Faults that struck, by their type. Those that wait for an event may not. */
  readonly struck: Readonly<Record<string, number>>
}

export const NO_STATISTICS: CaseStatistics = {
  simulatedMs: 0,
  datagrams: 0,
  pings: 0,
  answeredPings: 0,
  contacts: 0,
  lateContacts: 0,
  struck: {},
}

export interface CaseOutcome {
  /** The first one; the run ends there. */
  readonly violation: Violation | undefined
  readonly statistics: CaseStatistics
}

/** The real cryptography, or the counted stand-in that takes the same course. */
export const CRYPTOGRAPHIES = ['stand-in', 'real'] as const

export type CryptographyName = (typeof CRYPTOGRAPHIES)[number]

/** How cases are run: `runCase`, or something that pretends to. */
export type RunCase = (whole: Case, cryptography: CryptographyName) => CaseOutcome

export function sumOf(a: CaseStatistics, b: CaseStatistics): CaseStatistics {
  const struck = { ...a.struck }
  for (const [type, count] of Object.entries(b.struck)) struck[type] = (struck[type] ?? 0) + count
  return {
    simulatedMs: a.simulatedMs + b.simulatedMs,
    datagrams: a.datagrams + b.datagrams,
    pings: a.pings + b.pings,
    answeredPings: a.answeredPings + b.answeredPings,
    contacts: a.contacts + b.contacts,
    lateContacts: a.lateContacts + b.lateContacts,
    struck,
  }
}
