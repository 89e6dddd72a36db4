/**
 * The truth about who wrote what, which no host can see: who authored what arrived from an address, and which records a
 * node really signed. It is learned from outside, so what an engine believes can be held against it.
 */

import type { SocketAddress } from '../../src/base/address.js'
import { isDropped } from '../../src/base/drops.js'
import type { PublicKey } from '../../src/base/publicKey.js'
import type { Effect } from '../../src/engine/effects.js'
import { decodeKnock, decodeKnockAnswer } from '../../src/wire/knock.js'
import { decodeRecord, decodeSignedRecord, encodeRecord, type PeerRecord } from '../../src/wire/record.js'
import { SEALED_KNOCK_LENGTH } from '../../src/wire/sealedKnock.js'
import type { Unseal, UnsealKnock } from '../crypto/unsealing.js'
import type { Datagram } from '../network/datagram.js'

/** Addresses of which is remembered who wrote from there, for one host; then those heard of longest ago are forgotten. */
const MAX_REMOTES = 20_000

/** Who wrote what arrived at one host from one address. */
interface Remote {
  /** Of the last datagram. */
  author: string
  atMs: number
  /** Of datagrams by others before, when each wrote last. */
  former: Map<string, number> | undefined
}

export class Authorship {
  readonly #unseal: Unseal
  readonly #unsealKnock: UnsealKnock
  readonly #arrivals = new Map<string, Map<string, Map<number, Remote>>>()
  readonly #counts = new Map<string, number>()
  /** By author and sequence: the encodings of what was signed under it. Only a lost state file makes two of one. */
  readonly #signed = new Map<PublicKey, Map<number, Buffer[]>>()

  constructor(unseal: Unseal, unsealKnock: UnsealKnock) {
    this.#unseal = unseal
    this.#unsealKnock = unsealKnock
  }

  /** A datagram came in. */
  arrived(host: string, { from, author }: Datagram, atMs: number): void {
    let byIp = this.#arrivals.get(host)
    if (byIp === undefined) {
      byIp = new Map()
      this.#arrivals.set(host, byIp)
    }
    let byPort = byIp.get(from.ip)
    if (byPort === undefined) {
      byPort = new Map()
      byIp.set(from.ip, byPort)
    }
    const known = byPort.get(from.port)
    if (known === undefined) {
      byPort.set(from.port, { author, atMs, former: undefined })
      this.#bound(host, byIp, atMs)
      return
    }
    if (known.author !== author) {
      known.former ??= new Map()
      known.former.set(known.author, known.atMs)
      known.author = author
    }
    known.atMs = atMs
  }

  /** The author of what last arrived at a host from an address. */
  lastAuthor(host: string, { ip, port }: SocketAddress): string | undefined {
    return this.#arrivals.get(host)?.get(ip)?.get(port)?.author
  }

  /** When something by `author` last arrived at a host from an address, in milliseconds. */
  lastArrival(host: string, { ip, port }: SocketAddress, author: string): number | undefined {
    const remote = this.#arrivals.get(host)?.get(ip)?.get(port)
    return remote?.author === author ? remote.atMs : remote?.former?.get(author)
  }

  /** An engine with these peers did this: records in it are signed by its node. Gives the first that bears another's name, if there is one. */
  made(author: PublicKey, effect: Effect, peers: Iterable<PublicKey> = []): PeerRecord | undefined {
    const signedRecord = this.#recordMade(author, effect, peers)
    const record = signedRecord === undefined ? undefined : recordIn(signedRecord)
    if (record === undefined) return undefined
    if (record.publicKey !== author) return record
    let bySequence = this.#signed.get(author)
    if (bySequence === undefined) {
      bySequence = new Map()
      this.#signed.set(author, bySequence)
    }
    const encoded = Buffer.from(encodeRecord(record))
    const known = bySequence.get(record.sequence)
    if (known === undefined) bySequence.set(record.sequence, [encoded])
    else if (!known.some((other) => other.equals(encoded))) known.push(encoded)
    return undefined
  }

  /** True where the node that a record names signed exactly this. */
  isSigned(record: PeerRecord): boolean {
    const known = this.#signed.get(record.publicKey)?.get(record.sequence)
    if (known === undefined) return false
    const encoded = encodeRecord(record)
    return known.some((other) => other.equals(encoded))
  }

  /** The signed record that an effect sends out. */
  #recordMade(author: PublicKey, effect: Effect, peers: Iterable<PublicKey>): Uint8Array | undefined {
    switch (effect.type) {
      case 'publish':
        return this.#unseal(effect.sealedRecord, author)
      case 'knock':
        return signedRecordIn(effect.knock)
      case 'answer-knock': {
        const { answer } = effect
        if (answer === undefined) return undefined
        if (answer.length === SEALED_KNOCK_LENGTH) return this.#recordSealed(author, answer, peers)
        const decoded = decodeKnockAnswer(answer)
        return isDropped(decoded) ? undefined : decoded.signedRecord
      }
      case 'gossip-knock':
        return this.#recordSealed(author, effect.sealedKnock, peers)
      default:
        return undefined
    }
  }

  #recordSealed(
    author: PublicKey,
    sealedKnock: Uint8Array,
    peers: Iterable<PublicKey>,
  ): Uint8Array | undefined {
    for (const peer of peers) {
      const knock = this.#unsealKnock(sealedKnock, author, peer)
      if (knock !== undefined) return signedRecordIn(knock.knock)
    }
    return undefined
  }

  #bound(host: string, byIp: Map<string, Map<number, Remote>>, atMs: number): void {
    const count = (this.#counts.get(host) ?? 0) + 1
    this.#counts.set(host, count)
    if (count <= MAX_REMOTES) return
    const times: number[] = []
    for (const byPort of byIp.values()) for (const remote of byPort.values()) times.push(remote.atMs)
    times.sort((a, b) => a - b)
    const until = times[times.length >> 1] ?? atMs
    let left = 0
    for (const [ip, byPort] of byIp) {
      for (const [port, remote] of byPort) if (remote.atMs <= until) byPort.delete(port)
      left += byPort.size
      if (byPort.size === 0) byIp.delete(ip)
    }
    this.#counts.set(host, left)
  }
}

/** What a signed record says, whoever signed it; undefined where it is none. */
export function recordIn(signedRecord: Uint8Array): PeerRecord | undefined {
  const signed = decodeSignedRecord(signedRecord)
  if (isDropped(signed)) return undefined
  const record = decodeRecord(signed.record)
  return isDropped(record) ? undefined : record
}

function signedRecordIn(bytes: Uint8Array): Uint8Array | undefined {
  const knock = decodeKnock(bytes)
  return isDropped(knock) ? undefined : knock.signedRecord
}
