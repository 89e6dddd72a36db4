/** What every protocol of port mapping is asked here. */

import type { SocketAddress } from '../../base/address.js'
import type { DropReason } from '../../base/drops.js'
import type { MappingSite, PortToMap } from '../../engine/path/mappedPort.js'

/** What became of a port. */
export type MappingOutcome =
  | { readonly type: 'mapped'; readonly external: SocketAddress; readonly lifetimeMs: number }
  | {
      readonly type: 'failed'
      readonly reason: 'conflict' | 'refused' | 'silent'
      readonly detail: string
      /** The outer port that the gateway has opened all the same, and that is to be closed. */
      readonly opened?: number
    }

type Failed = Extract<MappingOutcome, { type: 'failed' }>

export interface MappingClient {
  /** True where the gateway speaks the protocol. Never rejects, and ends within seconds; so do the others. */
  probe(site: MappingSite, signal: AbortSignal): Promise<boolean>
  map(port: PortToMap, lifetimeMs: number, signal: AbortSignal): Promise<MappingOutcome>
  unmap(port: PortToMap, signal: AbortSignal): Promise<void>
}

export type OnDrop = (reason: DropReason) => void

export const SILENT: Failed = { type: 'failed', reason: 'silent', detail: 'it does not answer' }

export function refused(detail: string): Failed {
  return { type: 'failed', reason: 'refused', detail }
}

/** Where PCP and NAT-PMP are spoken (RFC 6887 section 19.1). */
export const CONTROL_PORT = 5351
