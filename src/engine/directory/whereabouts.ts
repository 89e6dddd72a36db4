/** Where a peer may be: what its record and the user say, and what of it makes sense from here. */

import { type SocketAddress, sameSocketAddress } from '../../base/address.js'
import type { PublicKey } from '../../base/publicKey.js'
import type { Now } from '../../base/time.js'
import type { Candidate } from '../../wire/candidate.js'
import type { PeerRecord } from '../../wire/record.js'
import type { Takeover } from '../loopback/takeover.js'
import type { Machine } from '../path/machine.js'
import { plausibility } from '../path/plausible.js'
import type { Reflection } from '../path/reflection.js'
import type { Directory } from './directory.js'

export interface WhereaboutsParts {
  readonly directory: Directory
  readonly takeover: Takeover
  /** To where the name leads that the user gave for it, if he gave one. */
  readonly named: () => readonly SocketAddress[]
  readonly machine: Machine
  readonly reflection: Reflection
}

export class Whereabouts {
  readonly #key: PublicKey
  readonly #parts: WhereaboutsParts

  constructor(key: PublicKey, parts: WhereaboutsParts) {
    this.#key = key
    this.#parts = parts
  }

  record(now: Now): PeerRecord | undefined {
    return this.#parts.directory.get(this.#key, now.unix)?.record
  }

  /** The last record that was known, even where it has expired. */
  get latest(): PeerRecord | undefined {
    return this.#parts.directory.latest(this.#key)
  }

  /** Whether an address that this record names may lead to its owner from here. */
  isPlausible(record: PeerRecord): (ip: string) => boolean {
    const { machine, reflection } = this.#parts
    return plausibility(record, {
      sockets: machine.sockets,
      routes: machine.routes,
      reflexive: reflection.findings.candidates,
    })
  }

  /** Where the peer may be: where its record says, and where the user said. */
  candidates(now: Now): readonly Candidate[] {
    const record = this.record(now)
    const former = this.#parts.takeover.former(this.#key)
    const isPlausible = record === undefined ? () => false : this.isPlausible(record)
    const candidates: Candidate[] = (record?.candidates ?? []).filter(
      ({ type, address }) => type !== 'host' || isPlausible(address.ip),
    )
    for (const configured of [...(former === undefined ? [] : [former]), ...this.#parts.named()]) {
      if (!candidates.some(({ address }) => sameSocketAddress(address, configured)))
        candidates.push({ type: 'configured', address: configured })
    }
    return candidates
  }
}
