/**
 * Nothing unauthenticated ever becomes a record: what an engine knows of a peer, the peer's engine signed; it never goes
 * back to an older one, also when it was started anew or had lost sight of the peer, unless its disk is gone; and it
 * takes none from further in the future than clocks may differ.
 */

import type { PublicKey } from '../../src/base/publicKey.js'
import { elapsed } from '../../src/base/time.js'
import type { Input } from '../../src/engine/inputs.js'
import { RECORD_SKEW } from '../../src/wire/period.js'
import type { PeerRecord } from '../../src/wire/record.js'
import type { Host, Ledger, Side } from './ledger.js'
import type { WatchedNode } from './watched.js'

const NAME = 'authentic-records'

interface Known {
  /** One that was started anew without what was on its disk begins anew. */
  readonly node: WatchedNode
  readonly diskLosses: number
  readonly record: PeerRecord
}

export class AuthenticRecords {
  readonly statistics = { accepted: 0 }
  readonly #ledger: Ledger
  readonly #known = new WeakMap<Side, Known>()

  constructor(ledger: Ledger) {
    this.#ledger = ledger
  }

  handled(host: Host, input: Input): void {
    switch (input.type) {
      case 'record-found':
      case 'knock-answered':
        this.#look(host, input.peer)
        break
      case 'knock-received':
      case 'knock-gossiped':
      case 'knock-passed':
      case 'record-gossiped':
        for (const key of host.sides.keys()) this.#look(host, key)
        break
      default:
    }
  }

  #look(host: Host, key: PublicKey): void {
    const { node, machine } = host
    const side = host.sides.get(key)
    if (node === undefined || side === undefined) return
    const { now } = machine.clock
    const record = node.knownRecord(key, now)
    const known = this.#known.get(side)
    if (record === undefined || record === known?.record) return
    this.statistics.accepted += 1
    const { diskLosses } = machine
    const remembers = known?.node === node || known?.diskLosses === diskLosses
    const fault = faultOf(record, key, remembers ? known?.record : undefined)
    if (fault !== undefined) this.#report(side, fault)
    else if (!this.#ledger.authorship.isSigned(record)) this.#report(side, 'it is not what that node signed')
    else if (elapsed(now.unix, record.issuedAt) > RECORD_SKEW || record.sequence > now.unix + RECORD_SKEW)
      this.#report(side, 'it is from the future')
    this.#known.set(side, { node, diskLosses, record })
  }

  #report({ host, peer }: Side, fault: string): void {
    this.#ledger.report(NAME, host.name, `it believes a record of ${peer.name}: ${fault}`)
  }
}

function faultOf(record: PeerRecord, key: PublicKey, former: PeerRecord | undefined): string | undefined {
  if (record.publicKey !== key) return "it is another peer's"
  if (former !== undefined && record.sequence < former.sequence)
    return `its sequence went from ${former.sequence} back to ${record.sequence}`
  return undefined
}
