/**
 * How we appear in the mesh: our own record, made of what is known of us, and its publications; and what the mesh has of
 * ours that we forgot.
 */

import { isDropped } from '../../base/drops.js'
import type { PublicKey } from '../../base/publicKey.js'
import type { Random } from '../../base/random.js'
import type { Instant, Now } from '../../base/time.js'
import type { NodeKeys } from '../../crypto/nodeKeys.js'
import type { OpenedSealedRecord, RecordSealing } from '../../crypto/sealedRecord.js'
import type { Candidate } from '../../wire/candidate.js'
import type { Emit } from '../effects.js'
import type { LocalSocket } from '../inputs.js'
import type { Findings } from '../path/findings.js'
import type { OpenRecord } from './admission.js'
import type { LookUps } from './lookUps.js'
import { ownContent } from './ownContent.js'
import { OwnRecord } from './ownRecord.js'
import { OwnSequence } from './ownSequence.js'
import { Publications } from './publications.js'

export interface AppearanceParts {
  readonly keys: NodeKeys
  /** The libp2p identity: a raw Ed25519 public key. */
  readonly identity: Uint8Array
  readonly random: Random
  readonly sealing: RecordSealing
  /** The highest sequence number of an earlier run; 0 for none. */
  readonly lastSequence: number
  readonly open: OpenRecord
  readonly lookUps: LookUps
  readonly emit: Emit
}

export class OwnAppearance {
  readonly record: OwnRecord
  readonly publications: Publications
  sockets: readonly LocalSocket[] = []
  multiaddrs: readonly string[] = []
  /** Where gateways have opened our port. */
  mapped: readonly Candidate[] = []
  readonly #ownKey: PublicKey
  readonly #open: OpenRecord
  readonly #emit: Emit
  /** What our record was last made of. */
  #said:
    | {
        readonly findings: Findings
        readonly sockets: readonly LocalSocket[]
        readonly multiaddrs: readonly string[]
        readonly mapped: readonly Candidate[]
      }
    | undefined = undefined

  constructor(parts: AppearanceParts, now: Instant) {
    const { keys, identity, random, sealing, lastSequence, open, lookUps, emit } = parts
    this.#ownKey = keys.publicKey
    this.#open = open
    this.#emit = emit
    const sequence = new OwnSequence(lastSequence)
    this.record = new OwnRecord({ keys, identity, random, sequence })
    this.publications = new Publications(
      { ownKey: keys.publicKey, sealing, record: this.record, sequence, random, lookUps, emit },
      lastSequence === 0,
      now,
    )
  }

  /** Says of ourselves what is so now. Of what is the same as before there is nothing to say. */
  describe(findings: Findings, now: Instant): void {
    const { sockets, multiaddrs, mapped } = this
    const said = this.#said
    const isSame = said?.sockets === sockets && said.multiaddrs === multiaddrs && said.mapped === mapped
    if (isSame && said.findings === findings) return
    this.#said = { findings, sockets, multiaddrs, mapped }
    if (this.record.describe(ownContent(findings, sockets, multiaddrs, mapped))) this.publications.change(now)
  }

  /** The mesh has this record of ours. */
  found({ signedRecord, sequence }: OpenedSealedRecord, now: Now): void {
    const record = this.#open(signedRecord)
    const inside = isDropped(record) || record.publicKey !== this.#ownKey ? [] : [record.sequence]
    if (!this.publications.seen([sequence, ...inside], now)) return
    const message = 'the mesh has a newer record of ours than we remember: publishing above it'
    this.#emit({ type: 'log', level: 'info', message, fields: {} })
  }
}
