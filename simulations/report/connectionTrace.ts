/**
 * Watches a run for its first connection: from the first message that a WireGuard sends for which there is no path, to
 * the first packet that comes back out of the tunnel.
 *
 * What travels between the two is told by its author, and where it arrives. Of what does not arrive, that it was meant
 * for the other is told by its destination: an address that a record of the other names, or that it sent from.
 */

import { toString as toText } from 'uint8arrays'
import type { SocketAddress } from '../../src/base/address.js'
import { isDropped } from '../../src/base/drops.js'
import type { PublicKey } from '../../src/base/publicKey.js'
import type { Effect } from '../../src/engine/effects.js'
import type { Input } from '../../src/engine/inputs.js'
import { decodeKnock, decodeKnockAnswer } from '../../src/wire/knock.js'
import { decodeRecord, decodeSignedRecord, type PeerRecord } from '../../src/wire/record.js'
import { headOfSealedKnock } from '../../src/wire/sealedKnock.js'
import { wireguardType } from '../../src/wire/wireguard.js'
import type { Datagram } from '../network/datagram.js'
import type { Observer } from '../observer.js'
import type { Connection, End, Party, Step } from './connection.js'
import { asksForReflection, messageName } from './messageName.js'
import { UnderWay } from './underWay.js'

/** Longer than any effort of the engine for one connection. */
const LONGEST_MS = 30_000
const MOST_STEPS = 500
/** The longest way to a reflector and back. */
const ANSWERED_MS = 500

export interface TracedHost extends End {
  readonly publicKey: PublicKey
  /** Reads a sealed record of this host; undefined where it is none. */
  unseal(sealedRecord: Uint8Array): Uint8Array | undefined
}

/** What of a world the trace needs. */
export interface Traced {
  /** Milliseconds of simulated time. */
  elapsed(): number
  hosts(): readonly TracedHost[]
}

type Side = 'A' | 'B'

interface Ends {
  readonly A: TracedHost
  readonly B: TracedHost
  readonly begunAt: number
}

export class ConnectionTrace implements Observer {
  readonly #traced: Traced
  #ends: Ends | undefined = undefined
  #answeredMs: number | undefined = undefined
  /** Holes are datagrams of which it is not known yet whether they concern this connection. */
  readonly #steps: (Step | undefined)[] = []
  readonly #underWay = new UnderWay<Side>()
  readonly #knocks = new Set<number>()
  /** Sealed knocks of the two on each other. */
  readonly #sealed = new Set<string>()
  /** Addresses at which the end of a side may be. */
  readonly #ips: Readonly<Record<Side, Set<string>>> = { A: new Set(), B: new Set() }

  constructor(traced: Traced) {
    this.#traced = traced
  }

  /** What was seen; undefined where nobody wanted a connection. */
  get connection(): Connection | undefined {
    if (this.#ends === undefined) return undefined
    const steps = [...this.#steps]
    for (const { side, atMs, to, bytes, position } of this.#underWay.left) {
      const isReflection = asksForReflection(bytes)
      // Who was asked at the end had no time to answer.
      if (isReflection && atMs + ANSWERED_MS > (this.#answeredMs ?? Number.POSITIVE_INFINITY)) continue
      if (!isReflection && !this.#ips[other(side)].has(to.ip)) continue
      steps[position] = {
        atMs,
        from: `tunnelbore${side}`,
        to: isReflection ? 'mesh' : `tunnelbore${other(side)}`,
        what: messageName(bytes),
        tookMs: undefined,
      }
    }
    const { A, B } = this.#ends
    return {
      ends: [A, B],
      steps: steps.filter((step) => step !== undefined),
      answeredMs: this.#answeredMs,
    }
  }

  handled(host: string, input: Input, effects: readonly Effect[]): void {
    if (this.#ends === undefined) this.#beginWith(host, input)
    const side = this.#sideOf(host)
    if (side === undefined) return
    this.#took(side, input)
    for (const effect of effects) this.#wanted(side, effect)
  }

  sent(host: string, { to, bytes }: Datagram): void {
    const side = this.#sideOf(host)
    if (side === undefined) return
    this.#underWay.add({ side, atMs: this.#now, to, bytes: bytes.slice(), position: this.#steps.length })
    this.#steps.push(undefined)
  }

  arrived(host: string, datagram: Datagram): void {
    const side = this.#nameOf(host)
    if (side === undefined) return
    // What was under way at the end still arrives.
    if (this.#nameOf(datagram.author) === other(side)) this.#arrivedFromPeer(side, datagram)
    else if (!this.#isOver) this.#reflected(side, datagram.bytes)
  }

  forwarded(host: string, direction: 'out' | 'in', peer: PublicKey, _to: SocketAddress, bytes: Uint8Array) {
    const side = this.#sideOf(host)
    if (side === undefined || direction !== 'out' || peer !== this.#key(other(side))) return
    this.#say(`wireguard${side}`, `tunnelbore${side}`, messageName(bytes))
  }

  delivered(host: string, peer: PublicKey, bytes: Uint8Array): void {
    const side = this.#sideOf(host)
    if (side === undefined || peer !== this.#key(other(side))) return
    this.#say(`tunnelbore${side}`, `wireguard${side}`, messageName(bytes))
  }

  emerged(host: string, peer: PublicKey): void {
    if (this.#sideOf(host) === 'A' && peer === this.#key('B')) this.#answeredMs = this.#now
  }

  #beginWith(host: string, input: Input): void {
    if (input.type !== 'wireguard-sent' || wireguardType(input.datagram) !== 1) return
    const hosts = this.#traced.hosts()
    const A = hosts.find(({ name }) => name === host)
    const B = hosts.find(({ publicKey }) => publicKey === input.peer)
    if (A !== undefined && B !== undefined) this.#ends = { A, B, begunAt: this.#traced.elapsed() }
  }

  /** What the engine of a side was told. */
  #took(side: Side, input: Input): void {
    const engine: Party = `tunnelbore${side}`
    const peer = this.#key(other(side))
    switch (input.type) {
      case 'wireguard-sent':
        if (input.peer === peer) this.#say(`wireguard${side}`, engine, messageName(input.datagram))
        break
      case 'record-found':
        if (input.peer === peer) {
          const signedRecord = this.#ends?.[other(side)].unseal(input.sealedRecord)
          if (signedRecord !== undefined) this.#learn(other(side), recordIn(signedRecord))
          this.#say('mesh', engine, 'its record')
        }
        break
      case 'look-up-ended':
        if (input.peer === peer) this.#say('mesh', engine, 'that is all')
        break
      case 'knock-received':
        this.#knocked(side, input)
        break
      case 'knock-passed':
        if (this.#sealed.has(sealedName(input.sealedKnock))) this.#heardKnock(side, input.id)
        break
      case 'knock-answered':
        if (input.peer === peer) {
          const answer = decodeKnockAnswer(input.answer)
          if (!isDropped(answer)) this.#learn(other(side), recordIn(answer.signedRecord))
          this.#say('mesh', engine, 'answer to the knock, with a fresh record')
        }
        break
      case 'knock-failed':
        if (input.peer === peer) this.#say('mesh', engine, `the knock failed: ${input.reason}`)
        break
      default:
    }
  }

  /** What the engine of a side wants done. Sending and delivering is seen where it is done. */
  #wanted(side: Side, effect: Effect): void {
    const engine: Party = `tunnelbore${side}`
    const peer = this.#key(other(side))
    if (effect.type === 'look-up' && effect.peer === peer)
      this.#say(engine, 'mesh', `look-up of ${this.#name(other(side))}`)
    if (effect.type === 'knock' && effect.peer === peer) {
      const knock = decodeKnock(effect.knock)
      if (!isDropped(knock)) this.#learn(side, recordIn(knock.signedRecord))
      if (effect.sealedKnock !== undefined) this.#sealed.add(sealedName(effect.sealedKnock))
      this.#say(engine, 'mesh', `knock on ${this.#name(other(side))}, with the own record`)
    }
    if (effect.type === 'answer-knock' && this.#knocks.delete(effect.id))
      this.#say(engine, 'mesh', effect.answer === undefined ? 'no answer' : 'answer, with a fresh record')
  }

  #knocked(side: Side, { id, knock: bytes }: Extract<Input, { type: 'knock-received' }>): void {
    const knock = decodeKnock(bytes)
    const record = isDropped(knock) ? undefined : recordIn(knock.signedRecord)
    if (record?.publicKey !== this.#key(other(side))) return
    this.#learn(other(side), record)
    this.#heardKnock(side, id)
  }

  #heardKnock(side: Side, id: number): void {
    this.#knocks.add(id)
    this.#say('mesh', `tunnelbore${side}`, `knock from ${this.#name(other(side))}`)
  }

  #arrivedFromPeer(side: Side, { from, bytes }: Datagram): void {
    this.#ips[other(side)].add(from.ip)
    const sent = this.#underWay.arrived(other(side), bytes)
    if (sent === undefined) return
    this.#steps[sent.position] = {
      atMs: sent.atMs,
      from: `tunnelbore${other(side)}`,
      to: `tunnelbore${side}`,
      what: messageName(bytes),
      tookMs: this.#now - sent.atMs,
    }
  }

  /** A reflector answered: both ways are known now. */
  #reflected(side: Side, bytes: Uint8Array): void {
    const sent = this.#underWay.reflected(side, bytes)
    // Other peers answer checks, too.
    if (sent === undefined || !asksForReflection(sent.bytes)) return
    const engine: Party = `tunnelbore${side}`
    this.#steps[sent.position] = {
      atMs: sent.atMs,
      from: engine,
      to: 'mesh',
      what: messageName(sent.bytes),
      tookMs: 0,
    }
    this.#say('mesh', engine, messageName(bytes))
  }

  #learn(side: Side, record: PeerRecord | undefined): void {
    for (const { address } of record?.candidates ?? []) this.#ips[side].add(address.ip)
  }

  #say(from: Party, to: Party, what: string): void {
    this.#steps.push({ atMs: this.#now, from, to, what, tookMs: 0 })
  }

  /** Undefined for a host that is none of the two, and for all after the end. */
  #sideOf(host: string): Side | undefined {
    return this.#isOver ? undefined : this.#nameOf(host)
  }

  #nameOf(host: string): Side | undefined {
    if (host === this.#ends?.A.name) return 'A'
    return host === this.#ends?.B.name ? 'B' : undefined
  }

  get #isOver(): boolean {
    return this.#answeredMs !== undefined || this.#now > LONGEST_MS || this.#steps.length >= MOST_STEPS
  }

  get #now(): number {
    return this.#traced.elapsed() - (this.#ends?.begunAt ?? 0)
  }

  #key(side: Side): PublicKey | undefined {
    return this.#ends?.[side].publicKey
  }

  #name(side: Side): string {
    return this.#ends?.[side].name ?? side
  }
}

function other(side: Side): Side {
  return side === 'A' ? 'B' : 'A'
}

/** What tells one sealed knock from another. */
function sealedName(bytes: Uint8Array): string {
  return toText(headOfSealedKnock(bytes), 'base64')
}

/** What a record says, whoever signed it. */
function recordIn(signedRecord: Uint8Array): PeerRecord | undefined {
  const signed = decodeSignedRecord(signedRecord)
  if (isDropped(signed)) return undefined
  const record = decodeRecord(signed.record)
  return isDropped(record) ? undefined : record
}
