/** What a search found, for people and for programs. */

import { clock, describeCase } from './caseText.js'
import { replayCommand } from './order.js'
import type { CaseStatistics, CryptographyName, Violation } from './outcome.js'
import type { SearchOutcome, Smallest } from './search.js'

/** What was searched, and how it ended. */
export interface Findings extends SearchOutcome {
  readonly cryptography: CryptographyName
  /** Of real time. */
  readonly seconds: number
}

/** Seeds of one invariant that are named; the JSON has all. */
const NAMED_SEEDS = 10

export function renderText(findings: Findings): string {
  const { seeds, complete, found, smallest, statistics, seconds, cryptography } = findings
  const lines = [
    `${complete ? '' : 'incomplete: interrupted; '}${count(seeds, 'seed')} in ${seconds.toFixed(1)} s, ${rate(seeds, seconds)} a second: ${
      found.length === 0 ? 'no violation' : `${count(found.length, 'violation')}`
    }`,
    `  ${describeStatistics(statistics)}`,
  ]
  for (const invariant of new Set(found.map(({ violation }) => violation.invariant))) {
    const alike = found.filter(({ violation }) => violation.invariant === invariant)
    const named = alike.slice(0, NAMED_SEEDS).map(({ seed }) => seed)
    const more = alike.length - named.length
    lines.push(
      '',
      `${invariant}: violated by seeds ${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`,
    )
    const shrunk = smallest.find(({ failure }) => failure.invariant === invariant)
    if (shrunk !== undefined) lines.push(...describeSmallest(shrunk, cryptography))
    else
      for (const { seed, violation } of alike.slice(0, 1))
        lines.push(...unshrunk(seed, violation, cryptography))
  }
  return `${lines.join('\n')}\n`
}

/** Nothing in it but `seconds` depends on the machine. */
export function renderJson({ found, smallest, statistics, ...findings }: Findings): string {
  const { seeds, complete, seconds, cryptography } = findings
  const violations = found.map(({ seed, violation }) => {
    const shrunk = smallest.find((candidate) => candidate.seed === seed)
    return {
      seed,
      ...violation,
      again: replayCommand(seed, cryptography),
      ...(shrunk === undefined
        ? {}
        : {
            smallest: {
              ...shrunk.failure,
              isSmallest: shrunk.isSmallest,
              runs: shrunk.runs,
              faults: shrunk.case.schedule.length,
              inWords: describeCase(shrunk.case),
              case: shrunk.case,
            },
          }),
    }
  })
  const body = {
    complete,
    seeds,
    cryptography,
    seconds: Math.round(seconds * 10) / 10,
    statistics,
    violations,
  }
  return `${JSON.stringify(body, undefined, 2)}\n`
}

export function describeViolation({ invariant, what, atMs }: Violation): string {
  return `after ${clock(atMs)}, ${invariant}: ${what}`
}

function describeSmallest(
  { seed, case: whole, failure, runs, isSmallest }: Smallest,
  cryptography: CryptographyName,
): readonly string[] {
  const effort = isSmallest ? `in ${count(runs, 'run')}` : `as far as ${count(runs, 'run')} went`
  return [
    `  seed ${seed}, shrunk ${effort}: ${describeViolation(failure)}`,
    ...describeCase(whole).map((line) => `    ${line}`),
    `  again: ${replayCommand(seed, cryptography)}`,
  ]
}

function unshrunk(seed: number, violation: Violation, cryptography: CryptographyName): readonly string[] {
  return [`  seed ${seed}: ${describeViolation(violation)}`, `  again: ${replayCommand(seed, cryptography)}`]
}

function describeStatistics({
  simulatedMs,
  datagrams,
  pings,
  answeredPings,
  contacts,
  lateContacts,
  struck,
}: CaseStatistics): string {
  const faults = Object.values(struck).reduce((sum, times) => sum + times, 0)
  const hours = (simulatedMs / 3_600_000).toFixed(1)
  return `${hours} simulated hours, ${count(faults, 'fault')}, ${count(pings, 'ping')} of which ${grouped(answeredPings)} were answered, ${count(datagrams, 'datagram')}; ${count(contacts, 'contact')} in peace, ${grouped(lateContacts)} of which took more than 10 s`
}

function count(number: number, noun: string): string {
  return `${grouped(number)} ${noun}${number === 1 ? '' : 's'}`
}

function rate(seeds: number, seconds: number): string {
  return seconds > 0 ? (seeds / seconds).toFixed(1) : '0'
}

function grouped(number: number): string {
  return String(number).replace(/\B(?=(\d{3})+$)/g, ',')
}
