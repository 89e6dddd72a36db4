/**
 * Periods: UTC days, numbered from 1970-01-01. A record is sealed for one, and stored under a key that changes with it.
 *
 * Clocks may differ by {@link RECORD_SKEW}. So an author publishes for every period that a reader may believe to be now,
 * and for the next one, and a reader looks under every period that its author may have believed to be now.
 */

import { asUnixTime, HOUR, type UnixTime } from '../base/time.js'

/** How long a period lasts, in milliseconds. */
export const PERIOD = 24 * HOUR

/** How far the clocks of an author, a reader and a storer may differ, in milliseconds. */
export const RECORD_SKEW = 2 * HOUR

/** The period that a moment lies in. */
export function periodOf(unix: UnixTime): number {
  return Math.floor(unix / PERIOD)
}

/** When a period begins. */
export function periodStart(period: number): UnixTime {
  return asUnixTime(period * PERIOD)
}

/** Every period that overlaps the moment ± {@link RECORD_SKEW}, earliest first: one, or two near midnight. */
export function periodsToRead(unix: UnixTime): readonly number[] {
  return range(firstPeriod(unix), lastPeriod(unix))
}

/** Those of {@link periodsToRead} and the one after: two, or three near midnight. Storers keep no others. */
export function periodsToPublish(unix: UnixTime): readonly number[] {
  return range(firstPeriod(unix), lastPeriod(unix) + 1)
}

/** True for one of {@link periodsToPublish}. */
export function isPublishedPeriod(period: number, unix: UnixTime): boolean {
  return period >= firstPeriod(unix) && period <= lastPeriod(unix) + 1
}

function firstPeriod(unix: UnixTime): number {
  return periodOf(asUnixTime(unix - RECORD_SKEW))
}

function lastPeriod(unix: UnixTime): number {
  return periodOf(asUnixTime(unix + RECORD_SKEW))
}

function range(first: number, last: number): readonly number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index)
}
