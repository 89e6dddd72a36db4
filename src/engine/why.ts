/**
 * Why a peer is direct, relayed or unreachable: a verdict, and the chain of what was found on the way to it.
 *
 *   traffic ─► record ─► look-ups ─► knocks ─► NATs ─► relay ─► checks, address by address ─► handshakes
 *
 * Nothing is decided by it. Everything is plain data, fit for JSON: addresses are `ip:port`, ages are in seconds.
 */

import { formatSocketAddress } from '../base/address.js'
import { elapsed, type Instant, type Now, SECOND } from '../base/time.js'
import type { CandidateType } from '../wire/candidate.js'
import type { NatMapping, PeerRecord } from '../wire/record.js'
import type { Effort, KnockMade, KnockResult } from './directory/effort.js'
import type { NameStatus } from './names/namedPeer.js'
import type { CheckedAddress } from './path/checkLedger.js'
import type { Path } from './path/path.js'
import type { PeerState } from './peerState.js'

/** Why checks do not meet, as far as it can be told. */
export type NoDirectPath =
  /** Both NATs give each destination another port: neither side can say where to send. */
  | 'both-symmetric'
  | 'own-symmetric'
  | 'peer-symmetric'
  /** The peer's checks arrive here, and ours are not answered. */
  | 'one-way'
  | 'unknown'

export type Verdict =
  /** It speaks to WireGuard's own port and is left alone. */
  | { readonly type: 'external' }
  /** Nobody sent anything to it, or not for a while. */
  | { readonly type: 'idle' }
  | {
      readonly type: 'direct'
      readonly remote: string
      readonly sinceS: number
      /** What proved the path: a check of ours, or WireGuard's own handshake. */
      readonly proof: Path['proof']
    }
  | {
      readonly type: 'relayed'
      /** The member relay's address. */
      readonly relay: string
      readonly sinceS: number
      readonly because: NoDirectPath
    }
  /** Checks pass, and WireGuard's first messages are not answered, or with what WireGuard does not take. */
  | { readonly type: 'handshake-unanswered'; readonly remote: string; readonly firstMessages: number }
  /** There is a path, and nothing comes back over it any more. */
  | { readonly type: 'path-silent'; readonly remote: string }
  /** An attempt has just begun, and nothing was found out yet. */
  | { readonly type: 'under-way'; readonly doing: 'looking-up' | 'resolving' | 'knocking' | 'checking' }
  /** No node of the mesh is connected, so nobody can be asked. */
  | { readonly type: 'offline' }
  | { readonly type: 'no-record' }
  /** There is no mesh, and nobody said where the peer is; or nobody answers at its `addresses`. */
  | { readonly type: 'no-mesh'; readonly addresses: number }
  /** The name that the user gave for it leads nowhere. */
  | { readonly type: 'name-unresolved'; readonly name: string; readonly reason: string }
  /** Nobody answers where it leads. */
  | { readonly type: 'name-unanswered'; readonly name: string; readonly addresses: number }
  /** No knock got to the peer, and no address answered. */
  | {
      readonly type: 'knock-not-arrived'
      /** Over how many relays its record says that it is reached; 0 where it is reached directly, or says nothing. */
      readonly relays: number
      readonly reason: string
      /** Addresses that checks went to. */
      readonly addresses: number
    }
  /** The peer's node took the knock and ended without an answer. */
  | { readonly type: 'knock-closed' }
  /** The two are in touch, and there is no address to be checked. */
  | { readonly type: 'nothing-to-check' }
  /** The two are in touch, and no check is answered. */
  | { readonly type: 'checks-unanswered'; readonly addresses: number; readonly because: NoDirectPath }

export type Finding =
  /** WireGuard's messages that passed; null: never, since this node runs. */
  | {
      readonly type: 'traffic'
      readonly lastSentS: number | null
      readonly lastHeardS: number | null
      /** True where WireGuard's first message waits for a path. */
      readonly waits: boolean
    }
  /** `off`: there is to be none. */
  | { readonly type: 'mesh'; readonly online: boolean; readonly off?: true }
  /** The name that the user gave for it. */
  | {
      readonly type: 'name'
      readonly name: string
      readonly addresses: readonly string[]
      /** When it was resolved last; null where it never was, or is an address. */
      readonly resolvedS: number | null
      /** When it is resolved again; null where nothing asks for that. */
      readonly againInS: number | null
      /** Why the last question failed. */
      readonly failure?: string
    }
  | {
      readonly type: 'record'
      readonly ageS: number
      /** Addresses and relays that it names. */
      readonly addresses: number
      readonly relays: number
    }
  | { readonly type: 'no-record' }
  | { readonly type: 'look-ups'; readonly begun: number; readonly ended: number }
  | {
      readonly type: 'knock'
      readonly how: KnockMade['how']
      readonly agoS: number
      readonly result: KnockResult['type']
      /** Why it failed. */
      readonly reason?: string
    }
  | { readonly type: 'knocked-by-peer'; readonly agoS: number }
  | { readonly type: 'nat'; readonly own: NatMapping; readonly peer: NatMapping }
  /** The member relay over which the path leads. */
  | {
      readonly type: 'relay'
      readonly address: string
      readonly sinceS: number
      /** True where what is for the relay goes through a stream, in place of UDP. */
      readonly throughStream: boolean
    }
  | {
      readonly type: 'checks'
      readonly address: string
      readonly candidate: CandidateType
      readonly sent: number
      readonly answered: number
      /** The peer's own that came from there. */
      readonly received: number
      /** When the last went there, and when last anything came from there. */
      readonly lastSentS: number | null
      readonly lastHeardS: number | null
    }
  | { readonly type: 'handshakes'; readonly unanswered: number }

export interface Explanation {
  readonly state: PeerState
  readonly verdict: Verdict
  /** Since when it is tried to get in touch, and how often that was begun anew; null where there is no such effort. */
  readonly effort: { readonly sinceS: number; readonly attempts: number; readonly underWay: boolean } | null
  readonly findings: readonly Finding[]
}

/** What is known of one peer. */
export interface Evidence {
  readonly state: PeerState
  readonly path: Path | undefined
  /** True where the path answers. */
  readonly isSound: boolean
  /** True where an attempt to get in touch is under way. */
  readonly isUnderWay: boolean
  readonly lastSentAt: Instant | undefined
  readonly lastHeardAt: Instant | undefined
  /** True where WireGuard's first message waits for a path. */
  readonly holdsFirstMessage: boolean
  /** WireGuard's first messages in a row that came to nothing, over a path that answers checks. */
  readonly unansweredFirstMessages: number
  /** True where these are more than chance. */
  readonly isIgnored: boolean
  readonly isOnline: boolean
  /** False where there is no mesh, and is not to be. */
  readonly hasMesh: boolean
  /** The name that the user gave for it. */
  readonly name: NameStatus | undefined
  readonly record: PeerRecord | undefined
  readonly ownMapping: NatMapping
  readonly effort: Pick<
    Effort,
    'attempts' | 'begunAt' | 'isOver' | 'lookUps' | 'lookUpsEnded' | 'knockedAt' | 'knocks'
  >
  readonly checks: readonly CheckedAddress[]
}

export function explain(evidence: Evidence, now: Now): Explanation {
  const { effort, isUnderWay, state } = evidence
  return {
    state,
    verdict: judge(evidence, now),
    effort:
      !effort.isOver && effort.begunAt !== undefined
        ? { sinceS: agoS(effort.begunAt, now), attempts: effort.attempts, underWay: isUnderWay }
        : null,
    findings: findingsOf(evidence, now),
  }
}

function judge(evidence: Evidence, now: Now): Verdict {
  const { state, path, isSound } = evidence
  if (state === 'external') return { type: 'external' }
  if (path === undefined) return judgeEffort(evidence)
  const remote = formatSocketAddress(path.remote)
  if (!isSound) return { type: 'path-silent', remote }
  if (evidence.isIgnored)
    return { type: 'handshake-unanswered', remote, firstMessages: evidence.unansweredFirstMessages }
  const sinceS = agoS(path.provedAt, now)
  return path.type === 'relayed'
    ? { type: 'relayed', relay: remote, sinceS, because: noDirectPath(evidence) }
    : { type: 'direct', remote, sinceS, proof: path.proof }
}

/** Where there is no path. */
function judgeEffort(evidence: Evidence): Verdict {
  const { state, effort, record, isOnline, isUnderWay, checks } = evidence
  if (state === 'idle' && effort.isOver) return { type: 'idle' }
  const failed = effort.knocks.findLast(({ result }) => result.type === 'closed' || result.type === 'failed')
  const isInTouch = wereInTouchSince(effort, failed?.at)
  // What a first attempt has not come to yet, an earlier one may have.
  if (isUnderWay && effort.attempts <= 1 && !isInTouch && failed === undefined) {
    if (record === undefined && isOnline && effort.lookUpsEnded === 0)
      return { type: 'under-way', doing: 'looking-up' }
    if (record !== undefined) return { type: 'under-way', doing: isOnline ? 'knocking' : 'checking' }
  }
  const addresses = triedOf(checks).length
  if (!isInTouch && (record === undefined || !evidence.hasMesh)) {
    if (evidence.name !== undefined) return judgeName(evidence, evidence.name)
    if (!evidence.hasMesh) return { type: 'no-mesh', addresses }
  }
  if (isInTouch) {
    if (isUnderWay && effort.attempts <= 1) return { type: 'under-way', doing: 'checking' }
    return addresses === 0
      ? { type: 'nothing-to-check' }
      : { type: 'checks-unanswered', addresses, because: noDirectPath(evidence) }
  }
  if (failed?.result.type === 'closed') return { type: 'knock-closed' }
  if (record === undefined) return isOnline ? { type: 'no-record' } : { type: 'offline' }
  if (failed === undefined && !isOnline) return { type: 'offline' }
  const reason = failed?.result.type === 'failed' ? failed.result.reason : 'no answer came'
  return { type: 'knock-not-arrived', relays: relaysOf(record), reason, addresses }
}

/** Where there is no path, and all that is known of the peer is its name. */
function judgeName({ isUnderWay, effort }: Evidence, { name, addresses, failure }: NameStatus): Verdict {
  if (addresses.length === 0)
    return failure === undefined
      ? { type: 'under-way', doing: 'resolving' }
      : { type: 'name-unresolved', name, reason: failure }
  if (isUnderWay && effort.attempts <= 1) return { type: 'under-way', doing: 'checking' }
  return { type: 'name-unanswered', name, addresses: addresses.length }
}

/** True where the peer knocked, or answered a knock, after `at`. */
function wereInTouchSince({ knockedAt, knocks }: Evidence['effort'], at: Instant | undefined): boolean {
  const answered = knocks.findLast(({ result }) => result.type === 'answered')
  return [knockedAt, answered?.at].some((time) => time !== undefined && (at === undefined || time >= at))
}

const SYMMETRIC: readonly NatMapping[] = ['address-dependent', 'address-and-port-dependent']

function noDirectPath({ ownMapping, record, checks }: Evidence): NoDirectPath {
  const own = SYMMETRIC.includes(ownMapping)
  const peer = record !== undefined && SYMMETRIC.includes(record.nat.mapping)
  if (own && peer) return 'both-symmetric'
  if (checks.some(({ type, received, answered }) => type !== 'relayed' && received > 0 && answered === 0))
    return 'one-way'
  return own ? 'own-symmetric' : peer ? 'peer-symmetric' : 'unknown'
}

function triedOf(checks: readonly CheckedAddress[]): readonly CheckedAddress[] {
  return checks.filter(({ sent }) => sent > 0)
}

/** How many circuit relays a record names; each may have several addresses. */
function relaysOf({ multiaddrs }: PeerRecord): number {
  return new Set(multiaddrs.flatMap((text) => /\/p2p\/([^/]+)\/p2p-circuit/.exec(text)?.[1] ?? [])).size
}

function findingsOf(evidence: Evidence, now: Now): readonly Finding[] {
  const { record, effort, checks, ownMapping, unansweredFirstMessages: unanswered } = evidence
  const { lookUps: begun, lookUpsEnded: ended, knockedAt } = effort
  return [
    {
      type: 'traffic',
      lastSentS: maybeAgoS(evidence.lastSentAt, now),
      lastHeardS: maybeAgoS(evidence.lastHeardAt, now),
      waits: evidence.holdsFirstMessage,
    },
    evidence.hasMesh
      ? { type: 'mesh', online: evidence.isOnline }
      : { type: 'mesh', online: false, off: true },
    ...(evidence.name === undefined ? [] : [nameOf(evidence.name, now)]),
    record === undefined
      ? { type: 'no-record' }
      : {
          type: 'record',
          ageS: seconds(elapsed(record.issuedAt, now.unix)),
          addresses: record.candidates.length,
          relays: relaysOf(record),
        },
    ...(begun === 0 ? [] : [{ type: 'look-ups', begun, ended } as const]),
    ...effort.knocks.map(
      ({ how, at, result }): Finding => ({
        type: 'knock',
        how,
        agoS: agoS(at, now),
        result: result.type,
        ...(result.type === 'failed' ? { reason: result.reason } : {}),
      }),
    ),
    ...(knockedAt === undefined ? [] : [{ type: 'knocked-by-peer', agoS: agoS(knockedAt, now) } as const]),
    { type: 'nat', own: ownMapping, peer: record?.nat.mapping ?? 'unknown' },
    ...relayOf(evidence.path, now),
    ...checks.map(
      ({ remote, type, sent, answered, received, lastSentAt, lastHeardAt }): Finding => ({
        type: 'checks',
        address: formatSocketAddress(remote),
        candidate: type,
        sent,
        answered,
        received,
        lastSentS: maybeAgoS(lastSentAt, now),
        lastHeardS: maybeAgoS(lastHeardAt, now),
      }),
    ),
    ...(unanswered === 0 ? [] : [{ type: 'handshakes', unanswered } as const]),
  ]
}

function nameOf({ name, addresses, resolvedAt, nextAt, failure }: NameStatus, now: Now): Finding {
  return {
    type: 'name',
    name,
    addresses: addresses.map(formatSocketAddress),
    resolvedS: maybeAgoS(resolvedAt, now),
    againInS: nextAt === undefined ? null : seconds(elapsed(now.instant, nextAt)),
    ...(failure === undefined ? {} : { failure }),
  }
}

function relayOf(path: Path | undefined, now: Now): readonly Finding[] {
  if (path?.type !== 'relayed') return []
  const address = formatSocketAddress(path.remote)
  return [
    {
      type: 'relay',
      address,
      sinceS: agoS(path.provedAt, now),
      throughStream: path.throughStream === true,
    },
  ]
}

function maybeAgoS(at: Instant | undefined, now: Now): number | null {
  return at === undefined ? null : agoS(at, now)
}

function agoS(at: Instant, now: Now): number {
  return seconds(elapsed(at, now.instant))
}

function seconds(ms: number): number {
  return Math.max(0, Math.round(ms / SECOND))
}
