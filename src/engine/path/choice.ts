/**
 * Which of several proved paths is used: best first, compared field by field.
 *
 * A path in use is left only for one that is better in a way that matters: what merely breaks ties does not make
 * traffic change its way back and forth. A round trip of long ago does not count for a path to change to: it may have died
 * since, unasked, or asked in vain.
 */

import { type AddressScope, familyOf, scopeOf } from '../../base/address.js'
import { elapsed, type Instant, later, SECOND } from '../../base/time.js'
import type { Path } from './path.js'

/**
 * Round trips are compared that were measured at about the same time. Paths that are kept are asked together, so their
 * answers come within this.
 */
const SAME_TIME_MS = 2 * SECOND

/** What is compared of a path, apart from the path itself. */
export interface Rated {
  readonly path: Path
  /** True where it went silent while we sent. */
  readonly suspect: boolean
}

/** The same, and when it answered last. */
export interface Answered extends Rated {
  readonly answeredAt: Instant
}

/** Below zero where `a` is better in a way that is worth a change. */
export function compareWorth(a: Rated, b: Rated): number {
  return (
    Number(a.suspect) - Number(b.suspect) ||
    Number(isRelayed(a.path)) - Number(isRelayed(b.path)) ||
    Number(!isChecked(a.path)) - Number(!isChecked(b.path)) ||
    Number(isThroughStream(a.path)) - Number(isThroughStream(b.path)) ||
    Number(!isLocal(a.path)) - Number(!isLocal(b.path)) ||
    rttClass(a.path) - rttClass(b.path)
  )
}

/** Below zero where `a` is preferred; a total order, the same on every run. */
export function comparePreference(a: Rated, b: Rated): number {
  return (
    compareWorth(a, b) ||
    familyOf(b.path.remote.ip) - familyOf(a.path.remote.ip) ||
    compareText(a.path.remote.ip, b.path.remote.ip) ||
    a.path.remote.port - b.path.remote.port ||
    a.path.socket - b.path.socket
  )
}

/** The path to use, given the one in use so far. */
export function choosePath<Item extends Answered>(
  rated: readonly Item[],
  current: Item | undefined,
): Item | undefined {
  const newest = rated.reduce(latestAnswer, LONG_AGO)
  const compared = rated.map((item) => ({
    item,
    ...(item === current ? item : withoutFormerTime(item, newest)),
  }))
  const best = compared.sort(comparePreference)[0]
  if (best === undefined) return undefined
  return current !== undefined && compareWorth(best, current) >= 0 ? current : best.item
}

const LONG_AGO = Number.NEGATIVE_INFINITY as Instant

function latestAnswer(latest: Instant, { suspect, answeredAt }: Answered): Instant {
  return suspect ? latest : later(latest, answeredAt)
}

/** The same, of unknown round trip where that was measured long before the newest of all. */
function withoutFormerTime({ path, suspect, answeredAt }: Answered, newest: Instant): Rated {
  const isFormer = elapsed(answeredAt, newest) > SAME_TIME_MS
  return { path: isFormer ? { ...path, rttMs: undefined } : path, suspect }
}

function isRelayed(path: Path): boolean {
  return path.type === 'relayed'
}

/** Over TCP one lost packet holds up all that follow. */
function isThroughStream({ throughStream }: Path): boolean {
  return throughStream === true
}

function isChecked(path: Path): boolean {
  return path.proof === 'check'
}

const LOCAL_SCOPES: readonly AddressScope[] = ['private', 'link-local']

/** An interface's own address in a private network: the same house, no matter how the round trips compare. */
function isLocal(path: Path): boolean {
  return path.type === 'host' && LOCAL_SCOPES.includes(scopeOf(path.remote.ip))
}

/** Round trips of the same power of two are alike. */
function rttClass(path: Path): number {
  return path.rttMs === undefined ? Number.MAX_SAFE_INTEGER : Math.ceil(Math.log2(Math.max(path.rttMs, 1)))
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
