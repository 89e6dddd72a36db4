/**
 * What can go wrong, as plain data. Every fault names what it hits by indices into the topology, and lasts for a time
 * after which it is undone; one without `forMs` is over at once.
 *
 *   of the network   gateways, partitions, links
 *   of a host        it moves, sleeps, crashes, is told wrong times; its WireGuard is changed by hand
 *   of the mesh      servers that are gone, or store badly
 *   of an attacker   who knows what can be known from outside: addresses, public keys, everything that travelled
 */

import { SECOND } from '../../src/base/time.js'
import type { LinkSpec } from '../topology.js'

/** How a server treats the records that it stores for others. */
export const STORER_BEHAVIOURS = [
  'slow',
  'silent',
  'stale',
  'forged',
  'foreign',
  'empty',
  'forgetful',
  'refusing',
] as const

export type StorerBehaviour = (typeof STORER_BEHAVIOURS)[number]

/** What a member relay does to what it should pass on. */
export const RELAY_BEHAVIOURS = ['drops', 'delays', 'alters', 'replays'] as const

export type RelayBehaviour = (typeof RELAY_BEHAVIOURS)[number]

export type NetworkFault =
  /** All mappings and filter states are lost. */
  | { readonly type: 'gateway-reboots'; readonly site: number }
  /** The gateway has another outer address. */
  | { readonly type: 'gateway-renumbered'; readonly site: number }
  /** These sites and servers hear nothing of all others. */
  | {
      readonly type: 'partition'
      readonly sites: readonly number[]
      readonly servers: readonly number[]
      readonly forMs: number
    }
  | { readonly type: 'site-cut-off'; readonly site: number; readonly forMs: number }
  | { readonly type: 'udp-blocked'; readonly site: number; readonly forMs: number }
  | {
      readonly type: 'link-impaired'
      readonly site: number
      readonly link: LinkSpec
      readonly forMs: number
    }

export type HostFault =
  /** It has no address for `awayMs`, then those of the other site. */
  | { readonly type: 'roams'; readonly host: number; readonly to: number; readonly awayMs: number }
  /** Two peers at the same moment. */
  | {
      readonly type: 'pair-roams'
      readonly pair: number
      readonly to: readonly [number, number]
      readonly awayMs: number
    }
  | { readonly type: 'sleeps'; readonly host: number; readonly forMs: number }
  /** The daemon is killed and started again; the state file may be gone. */
  | {
      readonly type: 'daemon-crashes'
      readonly host: number
      readonly keepsState: boolean
      readonly forMs: number
    }
  /** The disk is new, and the wall clock is behind until somebody sets it: the daemon begins anew. */
  | {
      readonly type: 'disk-replaced'
      readonly host: number
      readonly behindMs: number
      readonly forMs: number
    }
  /** The daemon ends as it should and is started again. */
  | { readonly type: 'daemon-stops'; readonly host: number; readonly forMs: number }
  /** WireGuard's sessions and endpoints are lost, too. */
  | { readonly type: 'host-reboots'; readonly host: number; readonly forMs: number }
  /** The wall clock only. */
  | { readonly type: 'clock-jumps'; readonly host: number; readonly byMs: number }
  /** One end of a pair takes the other off its interface, and puts it back. */
  | {
      readonly type: 'peer-removed'
      readonly pair: number
      readonly byFirst: boolean
      readonly forMs: number
    }
  /** Another program sets the endpoint in WireGuard: to a dead address, or to where the peer's WireGuard is. */
  | {
      readonly type: 'endpoint-set'
      readonly pair: number
      readonly byFirst: boolean
      readonly to: 'nobody' | 'peer'
    }

export type MeshFault =
  | {
      readonly type: 'server-down'
      readonly server: number
      /** `hang`: connections stay open and nothing answers; `power`: nobody is told that it is gone. */
      readonly how: 'clean' | 'hang' | 'power'
      readonly forMs: number
    }
  | {
      readonly type: 'bad-storer'
      readonly server: number
      readonly behaviour: StorerBehaviour
      readonly forMs: number
    }
  /** The process is started again at once: its sessions are gone, and so is what it stored. */
  | { readonly type: 'relay-restarts'; readonly server: number }
  /** It grants and binds as ever. */
  | {
      readonly type: 'bad-relay'
      readonly server: number
      readonly behaviour: RelayBehaviour
      readonly forMs: number
    }

export type HostileFault =
  /** Knocks under another's name: with forged records, or from an identity that is not the record's. */
  | { readonly type: 'forged-knocks'; readonly pair: number; readonly count: number }
  /** Knocks that were heard before, from the attacker's own identity. */
  | { readonly type: 'replayed-knocks'; readonly pair: number; readonly count: number }
  /** What was gossiped by the two of a pair, once more by the attacker: as it was, and changed. */
  | { readonly type: 'replayed-gossip'; readonly pair: number; readonly count: number }
  /** Datagrams that a host received before, once more from the attacker's address. */
  | { readonly type: 'replayed-datagrams'; readonly host: number; readonly count: number }
  /** Checks under a name that was seen, and for {@link ATTACK_MS} an answer to each check of the host's: with no right key. */
  | { readonly type: 'spoofed-checks'; readonly pair: number; readonly count: number }
  /** A host's own checks come back to it from the attacker's address, and for {@link ATTACK_MS} all that it sends there. */
  | { readonly type: 'mirrored-checks'; readonly pair: number; readonly count: number }
  | {
      readonly type: 'junk-flood'
      readonly host: number
      readonly perSecond: number
      readonly forMs: number
    }
  /** First and second messages with a right mac1, made without any private key. */
  | { readonly type: 'forged-first-messages'; readonly pair: number; readonly count: number }
  /** Data for a session index that was seen, from the peer's address. */
  | { readonly type: 'spoofed-data'; readonly pair: number; readonly count: number }

/** For how long an attacker stays at it, in ms. */
export const ATTACK_MS = 60 * SECOND

export type Fault = NetworkFault | HostFault | MeshFault | HostileFault

export type FaultType = Fault['type']

/** What only an attacker does. */
export const HOSTILE_FAULTS: ReadonlySet<string> = new Set<HostileFault['type']>([
  'forged-knocks',
  'replayed-knocks',
  'replayed-gossip',
  'replayed-datagrams',
  'spoofed-checks',
  'mirrored-checks',
  'junk-flood',
  'forged-first-messages',
  'spoofed-data',
])

/** What an engine does or is told, at which a fault can strike. */
export const EVENT_KINDS = [
  'send',
  'deliver',
  'set-endpoint',
  'look-up',
  'knock',
  'answer-knock',
  'gossip-knock',
  'publish',
  'record-found',
  'record-gossiped',
  'knock-gossiped',
  'knock-answered',
  'wireguard-sent',
] as const

export type EventKind = (typeof EVENT_KINDS)[number]

/** When a fault strikes: at a time, or right after the n-th event of a kind since a time. Times since the beginning, in ms. */
export type Occasion =
  | { readonly atMs: number }
  | {
      readonly afterMs: number
      readonly event: EventKind
      /** Of this host. */
      readonly host: number
      /** From 1. */
      readonly nth: number
    }

export interface ScheduledFault {
  readonly when: Occasion
  readonly fault: Fault
}

/** Milliseconds for which a fault lasts; 0 for one that is over at once. */
export function durationOf(fault: Fault): number {
  if ('forMs' in fault) return fault.forMs
  return 'awayMs' in fault ? fault.awayMs : 0
}

/** The time from which a fault may strike, in ms since the beginning. */
export function earliestOf(when: Occasion): number {
  return 'atMs' in when ? when.atMs : when.afterMs
}
