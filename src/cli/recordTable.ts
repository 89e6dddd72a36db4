/** `tunnelbore resolve` for people: a record, one thing a line. */

import type { ResolvedRecord } from '../daemon/status.js'
import { type Paint, plain } from './colours.js'

/** The record, ending in a line feed. */
export function renderRecord(record: ResolvedRecord, paint: Paint = plain): string {
  const { mapping, filtering } = record.nat
  const rows: readonly (readonly [label: string, text: string])[] = [
    ...record.candidates.map(({ type, address }) => ['address', `${address} (${type})`] as const),
    ...record.addresses.map((address) => ['libp2p', address] as const),
    ['nat', `${mapping} mapping, ${filtering} filtering`],
    ['issued', record.issuedAt],
    ['expires', record.expiresAt],
    ['sequence', String(record.sequence)],
    ['peer id', record.peerId],
  ]
  const heading = `${paint('record', 'yellow', 'bold')}: ${paint(record.publicKey, 'yellow')}`
  return `${[heading, ...rows.map(([label, text]) => `  ${paint(label, 'bold')}: ${text}`)].join('\n')}\n`
}
