/** A node that is told by hand what happens, and peers whose every message a test makes itself. */

import assert from 'node:assert/strict'
import type { SocketAddress } from '../../../src/base/address.js'
import { isDropped } from '../../../src/base/drops.js'
import { seededRandom } from '../../../src/base/random.js'
import { elapsed } from '../../../src/base/time.js'
import type { PairKeys } from '../../../src/crypto/pair.js'
import type { Effect } from '../../../src/engine/effects.js'
import type { Input } from '../../../src/engine/inputs.js'
import { Node, type NodeOptions } from '../../../src/engine/node.js'
import { encodeCheck, encodeCheckAnswer } from '../../../src/engine/path/checks.js'
import { encodeKnock } from '../../../src/wire/knock.js'
import { decodeStun } from '../../../src/wire/stun/message.js'
import type { Sent } from '../effectLog.js'
import { pairKeysOf, recordOf, signedRecordOf, type TestNode } from '../nodes.js'
import { nowAt, START } from '../virtualTime.js'

const SOCKET = 1

/** Runs `own` beside an interface with these peers, with one socket and nobody in the mesh. */
export class NodeByHand {
  readonly node: Node
  /** Who answers every check of ours at once, and where. */
  responder: { readonly peer: TestNode; readonly remote: SocketAddress } | undefined = undefined
  readonly #own: TestNode
  readonly #random = seededRandom(2)
  #ms = 0

  /** `remembered`: signed records of an earlier run. */
  constructor(
    own: TestNode,
    peers: readonly TestNode[],
    remembered: readonly Uint8Array[] = [],
    further: Pick<NodeOptions, 'membership'> = {},
  ) {
    this.#own = own
    const options = {
      keys: own.keys,
      identity: new Uint8Array(32),
      random: seededRandom(1),
      loopback: { style: 'range', port: 51_822 },
      formerEndpoints: new Map(),
      role: 'client',
      sealing: own.sealing,
      lastSequence: 0,
      remembered,
      ...further,
    } as const
    this.node = new Node(options, nowAt(0))
    const address = { ip: '192.0.2.1', port: 51_821 }
    this.tell({
      type: 'sockets-changed',
      sockets: [{ id: SOCKET, address, device: 'eth0', purpose: 'shared' }],
    })
    this.readInterface(peers)
  }

  /** Milliseconds since {@link START}. */
  get ms(): number {
    return this.#ms
  }

  tell(input: Input): readonly Effect[] {
    const effects = this.node.handle(input, nowAt(this.#ms))
    if (this.responder === undefined) return effects
    const { peer, remote } = this.responder
    return [...effects, ...this.answer(peer, remote, sentOf(effects))]
  }

  /** Lets time pass, waking the node whenever it wants; returns what it sent. */
  pass(ms: number): readonly Sent[] {
    const until = this.#ms + ms
    const sent: Sent[] = []
    for (;;) {
      const { nextWake } = this.node
      const next = nextWake === undefined ? until : elapsed(START, nextWake)
      if (next >= until) break
      this.#ms = Math.max(this.#ms, next)
      sent.push(...sentOf(this.tell({ type: 'woken' })))
    }
    this.#ms = until
    return sent
  }

  /** The interface has these peers, none of whom had a handshake, and who have no endpoint unless one is said. */
  readInterface(peers: readonly TestNode[], endpoint?: SocketAddress): readonly Effect[] {
    return this.tell({
      type: 'interface-read',
      peers: peers.map(({ publicKey }) => ({
        publicKey,
        endpoint,
        isLinkLocal: false,
        latestHandshake: undefined,
      })),
    })
  }

  /** `peer` knocks, with the record that {@link signedRecordOf} makes for it. */
  knock(peer: TestNode, id: number): readonly Effect[] {
    const knock = encodeKnock({ version: 1, signedRecord: signedRecordOf(peer) })
    return this.tell({ type: 'knock-received', id, from: recordOf(peer).identity, knock })
  }

  receive(remote: SocketAddress, datagram: Uint8Array): readonly Effect[] {
    return this.tell({ type: 'datagram-received', socket: SOCKET, remote, datagram })
  }

  /** WireGuard sends to `peer`, and the message takes the short way where there is one. */
  wireguardSends({ publicKey: peer }: TestNode, datagram: Uint8Array): void {
    const path = this.node.forwarding.outbound(peer, datagram, nowAt(this.#ms).instant)
    if (path === undefined) this.tell({ type: 'wireguard-sent', peer, datagram })
  }

  /** An authenticated check of `peer` comes from `remote`. */
  check(peer: TestNode, remote: SocketAddress): readonly Effect[] {
    const keys = this.#keysOf(peer)
    return this.receive(remote, encodeCheck(keys, this.#random.bytes(12), false, nowAt(this.#ms).unix))
  }

  /** `peer` answers the checks of ours among `sent` that went to `remote`. */
  answer(peer: TestNode, remote: SocketAddress, sent: readonly Sent[]): readonly Effect[] {
    return checksTo(remote, sent).flatMap((check) =>
      this.receive(remote, encodeCheckAnswer(this.#keysOf(peer), check, remote, false)),
    )
  }

  /** `peer` checks us from `remote`, and answers when we check it there in turn: we have a path then. */
  prove(peer: TestNode, remote: SocketAddress): readonly Effect[] {
    const asked = sentOf(this.check(peer, remote))
    assert.ok(checksTo(remote, asked).length > 0, 'the check is answered with one of ours')
    this.#ms += 20
    return this.answer(peer, remote, asked)
  }

  #keysOf(peer: TestNode): PairKeys {
    return pairKeysOf(peer, this.#own)
  }
}

export function sentOf(effects: readonly Effect[]): readonly Sent[] {
  return effects.filter((effect): effect is Sent => effect.type === 'send')
}

/** The checks of ours that went to `remote`. */
export function checksTo(remote: SocketAddress, sent: readonly Sent[]) {
  return sent.flatMap(({ remote: to, datagram }) => {
    const message = decodeStun(datagram)
    const isCheck = !isDropped(message) && message.messageClass === 'request' && to.ip === remote.ip
    return isCheck && to.port === remote.port ? [message] : []
  })
}
