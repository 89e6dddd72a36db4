/** A member relay that is told by hand what happens, and pairs whose every message a test makes itself. */

import assert from 'node:assert/strict'
import type { SocketAddress } from '../../../src/base/address.js'
import { isDropped } from '../../../src/base/drops.js'
import { seededRandom } from '../../../src/base/random.js'
import { after, asUnixTime, elapsed, type UnixTime } from '../../../src/base/time.js'
import { hmacSha256 } from '../../../src/crypto/hmacSha256.js'
import { grantMac, membershipKey, sealGrant } from '../../../src/crypto/relayGrant.js'
import type { RelaySessionKeys } from '../../../src/crypto/relaySession.js'
import type { Effect } from '../../../src/engine/effects.js'
import type { Input, LocalSocket } from '../../../src/engine/inputs.js'
import { Node } from '../../../src/engine/node.js'
import { encodeBind, encodeGrantAsk } from '../../../src/engine/relay/messages.js'
import { type RelayQuotas, relayQuotas } from '../../../src/engine/relay/quotas.js'
import type { GrantProof, GrantTerms } from '../../../src/wire/relayGrant.js'
import { type DecodedStun, decodeStun } from '../../../src/wire/stun/message.js'
import { pairKeysOf, type TestNode, testNode } from '../nodes.js'
import { nowAt, START, UNIX_START } from '../virtualTime.js'

export const RELAY = testNode(1)
export const ALICE = testNode(2)
export const BOB = testNode(3)
export const EVE = testNode(4)

/** Where they are, as the relay sees it. */
export const ALICE_AT = { ip: '198.51.100.2', port: 2_000 }
export const BOB_AT = { ip: '198.51.100.3', port: 3_000 }
export const EVE_AT = { ip: '198.51.100.4', port: 4_000 }

export const NETWORK_KEY = new Uint8Array(95).fill(7)
export const RELAY_IP = '192.0.2.1'
export const RELAY_IP6 = '2001:db8::1'

export const SOCKETS: readonly LocalSocket[] = [
  { id: 1, address: { ip: RELAY_IP, port: 51_821 }, device: 'eth0', purpose: 'shared' },
  { id: 2, address: { ip: RELAY_IP6, port: 51_821 }, device: 'eth0', purpose: 'shared' },
]

/** What left a port of a session. */
export interface Relayed {
  readonly session: number
  readonly local: string
  readonly remote: SocketAddress
  readonly datagram: Uint8Array
}

export interface AskOptions {
  readonly asker?: TestNode
  readonly peer?: TestNode
  readonly from?: SocketAddress
  /** Of the relay's sockets. */
  readonly socket?: number
  /** Names the session. */
  readonly nonce?: number
  readonly issuedAt?: UnixTime
  /** In place of what follows from the pair and the nonce. */
  readonly terms?: Partial<GrantTerms>
  readonly proof?: (terms: GrantTerms) => GrantProof
}

export interface BindOptions {
  readonly nonce?: number
  /** Of a bind that is sent once. */
  readonly cookie?: Uint8Array
  /** True for one who does not hear the answer. */
  readonly isAbsent?: boolean
}

export class RelayByHand {
  readonly node: Node
  /** What it wanted done, newest last, but for what it sent. */
  readonly effects: Effect[] = []
  /** What it sent from its shared sockets. */
  readonly answers: Extract<Effect, { type: 'send' }>[] = []
  /** What it sent from the ports of its sessions. */
  readonly relayed: Relayed[] = []
  /** Whether ports open at once; a test that says no tells of them itself. */
  opensPorts = true
  readonly #random = seededRandom(5)
  #ms = 0
  /** Of the newest bind. */
  #sequence = 0

  constructor(
    options: {
      readonly isOpen?: boolean
      readonly role?: 'serves' | 'client'
      /** Undefined: it is no relay. */
      readonly quotas?: Partial<RelayQuotas> | undefined
      readonly peers?: readonly TestNode[]
    } = {},
  ) {
    const { isOpen = false, role = 'serves', peers = [] } = options
    const quotas = 'quotas' in options ? options.quotas : {}
    this.node = new Node(
      {
        keys: RELAY.keys,
        identity: new Uint8Array(32),
        random: seededRandom(1),
        loopback: { style: 'range', port: 51_822 },
        formerEndpoints: new Map(),
        role,
        sealing: RELAY.sealing,
        lastSequence: 0,
        remembered: [],
        ...(quotas === undefined ? {} : { relay: { ...relayQuotas(), ...quotas } }),
        ...(isOpen ? {} : { membership: membershipKey(NETWORK_KEY) }),
      },
      nowAt(0),
    )
    this.tell({ type: 'sockets-changed', sockets: SOCKETS })
    this.tell({
      type: 'interface-read',
      peers: peers.map(({ publicKey }) => ({
        publicKey,
        endpoint: undefined,
        isLinkLocal: false,
        latestHandshake: undefined,
      })),
    })
  }

  /** The sessions whose ports are open or asked for: opened and not closed. */
  get sessions(): readonly number[] {
    const open = new Set<number>()
    for (const effect of this.effects) {
      if (effect.type === 'open-relay') open.add(effect.session)
      if (effect.type === 'close-relay') open.delete(effect.session)
    }
    return [...open]
  }

  get unix(): UnixTime {
    return after(UNIX_START, this.#ms)
  }

  tell(input: Input): void {
    for (const effect of this.node.handle(input, nowAt(this.#ms))) {
      if (effect.type === 'send') this.answers.push(effect)
      else if (effect.type === 'send-relay') this.relayed.push(effect)
      else this.effects.push(effect)
      if (effect.type === 'open-relay' && this.opensPorts) this.opened(effect.session, effect.ips)
    }
  }

  /** Ports of a session are open: 40000 and the number of the session. */
  opened(session: number, ips: readonly string[]): void {
    this.tell({ type: 'relay-opened', session, addresses: ips.map((ip) => ({ ip, port: 40_000 + session })) })
  }

  /** Lets time pass, waking the node whenever it wants. */
  pass(ms: number): void {
    const until = this.#ms + ms
    for (;;) {
      const { nextWake } = this.node
      const next = nextWake === undefined ? until : elapsed(START, nextWake)
      if (next >= until) break
      this.#ms = Math.max(this.#ms, next)
      this.tell({ type: 'woken' })
    }
    this.#ms = until
    this.tell({ type: 'woken' })
  }

  /** The request for a session, as the asker sends it. */
  request(options: AskOptions = {}): Uint8Array {
    const { asker = ALICE, peer = BOB, nonce = 1, issuedAt = this.unix, proof = asMember } = options
    const terms = { ...termsOf(asker, peer, nonce), issuedAt, ...options.terms }
    const sealed = sealGrant(RELAY.keys.relay.publicKey, { ...terms, proof: proof(terms) }, this.#random)
    assert.ok(sealed)
    return encodeGrantAsk(this.#random.bytes(12), sealed)
  }

  /** A datagram comes to a shared socket; the answer to it, or to one before it, is returned. */
  receive(datagram: Uint8Array, from: SocketAddress, socket = 1): DecodedStun | undefined {
    const before = this.answers.length
    this.tell({ type: 'datagram-received', socket, remote: from, datagram })
    const answer = this.answers[before]
    return answer && decoded(answer.datagram)
  }

  /** Asks for a session. */
  ask(options: AskOptions = {}): DecodedStun | undefined {
    return this.receive(this.request(options), options.from ?? ALICE_AT, options.socket)
  }

  /** A datagram comes to a session's port, as the shell passes it; what left the relay for that. */
  arrive(session: number, from: SocketAddress, datagram: Uint8Array): readonly Relayed[] {
    const before = this.relayed.length
    const local = from.ip.includes(':') ? RELAY_IP6 : RELAY_IP
    const { instant } = nowAt(this.#ms)
    const end = this.node.relayTable.passed(session, from.ip, from.port, datagram, instant)
    if (end === 'for-node') this.tell({ type: 'relay-datagram', session, local, remote: from, datagram })
    else if (end !== undefined) this.relayed.push({ session, ...end, datagram })
    return this.relayed.slice(before)
  }

  /**
   * `own` binds its side of a session with `peer`, and sends the cookie of the answer back; true where it is answered as it
   * should be.
   */
  bind(
    session: number,
    own: TestNode,
    peer: TestNode,
    from: SocketAddress,
    options: BindOptions = {},
  ): boolean {
    const first = this.bindOnce(session, own, peer, from, options)
    if (first?.bindCookie === undefined || options.isAbsent === true) return first !== undefined
    const again = this.bindOnce(session, own, peer, from, { ...options, cookie: first.bindCookie })
    assert.deepEqual(again?.bindCookie, first.bindCookie)
    return true
  }

  /** The same, once; the answer. */
  bindOnce(
    session: number,
    own: TestNode,
    peer: TestNode,
    from: SocketAddress,
    { nonce = 1, cookie }: BindOptions = {},
  ): DecodedStun | undefined {
    this.#sequence = Math.max(this.#sequence + 1, this.unix)
    const { ownName, hmac } = sessionOf(own, peer, nonce)
    const bind = encodeBind(this.#random.bytes(12), ownName, this.#sequence, hmac, cookie)
    const sent = this.arrive(session, from, bind)
    if (sent.length === 0) return undefined
    const [answer] = sent
    assert.ok(answer && sent.length === 1)
    assert.deepEqual(answer.remote, from)
    const message = decoded(answer.datagram)
    assert.equal(message.messageClass, 'success')
    assert.deepEqual(message.mappedAddress, from)
    assert.ok(answer.datagram.length <= bind.length)
    return message
  }

  /** A session of Alice's and Bob's, both bound; its number. */
  bound(nonce = 1): number {
    this.ask({ nonce })
    const session = this.sessions.at(-1)
    assert.ok(session !== undefined)
    assert.ok(this.bind(session, ALICE, BOB, ALICE_AT, { nonce }))
    assert.ok(this.bind(session, BOB, ALICE, BOB_AT, { nonce }))
    return session
  }

  dropped(reason: string): number {
    return Object.entries(this.node.drops.toJSON()).find(([name]) => name === reason)?.[1] ?? 0
  }
}

/** What `own` knows of its session with `peer`. */
export function sessionOf(own: TestNode, peer: TestNode, nonce = 1): RelaySessionKeys {
  return pairKeysOf(own, peer).relaySession(new Uint8Array(16).fill(nonce))
}

export function termsOf(asker: TestNode, peer: TestNode, nonce = 1): GrantTerms {
  const { ownName, peerName, key } = sessionOf(asker, peer, nonce)
  return { issuedAt: UNIX_START, key, names: [ownName, peerName] }
}

export function asMember(terms: GrantTerms): GrantProof {
  return { type: 'network', mac: macUnder(membershipKey(NETWORK_KEY), terms) }
}

/** Of the relay's. */
export function asPeer(asker: TestNode): (terms: GrantTerms) => GrantProof {
  return (terms) => ({
    type: 'peer',
    publicKey: asker.publicKey,
    mac: grantMac(pairKeysOf(asker, RELAY).relayProof, RELAY.keys.relay.publicKey, terms),
  })
}

export function macUnder(key: Uint8Array, terms: GrantTerms): Uint8Array {
  return grantMac(hmacSha256(key), RELAY.keys.relay.publicKey, terms)
}

export function decoded(datagram: Uint8Array): DecodedStun {
  const message = decodeStun(datagram)
  assert.ok(!isDropped(message))
  return message
}

export function unixBefore(ms: number): UnixTime {
  return asUnixTime(UNIX_START - ms)
}
