/** What changes about the machine: its sockets of every purpose, its routes, the MTU of the interface; and whom that concerns. */

import type { PublicKey } from '../base/publicKey.js'
import type { Now } from '../base/time.js'
import type { Discovery } from './discovery.js'
import type { Input, LocalSocket, MachineRoute } from './inputs.js'
import type { OwnAddresses } from './ownAddresses.js'
import type { Peer, PeerContext } from './peer.js'
import type { Relays } from './relay/relays.js'

export interface MachineChangesParts {
  readonly context: PeerContext
  readonly peers: ReadonlyMap<PublicKey, Peer>
  readonly own: OwnAddresses
  readonly discovery: Discovery<Peer>
  readonly relays: Relays
}

export class MachineChanges {
  readonly #parts: MachineChangesParts

  constructor(parts: MachineChangesParts) {
    this.#parts = parts
  }

  /** These sockets are open now, and no others. */
  socketsChanged(all: readonly LocalSocket[], now: Now): void {
    const { context, own, discovery, relays } = this.#parts
    const { birthdays, paths } = context
    const punching = all.filter(({ purpose }) => purpose === 'punching')
    const isOfPunching = !haveSameIds(punching, paths.punchingSockets)
    birthdays.socketsChanged(punching, now.instant)
    const streams = all.filter(({ purpose }) => purpose === 'stream')
    const isOfStreams = !haveSameIds(streams, paths.streamSockets)
    if (isOfStreams) this.#streamsChanged(streams, now)
    const sockets = all.filter(({ purpose }) => purpose === 'shared')
    // What was opened for punching, or in place of UDP, is no news of where we are.
    if ((isOfPunching || isOfStreams) && haveSameIds(sockets, paths.sockets)) return
    paths.sockets = sockets
    discovery.socketsChanged(sockets)
    relays.socketsChanged(sockets)
    own.socketsChanged(sockets, now)
    this.#surroundingsChanged(now)
  }

  routesRead(routes: readonly MachineRoute[], now: Now): void {
    const { context, own } = this.#parts
    context.paths.routes = routes
    own.routesRead(routes, now)
    this.#surroundingsChanged(now)
  }

  /** The MTU of WireGuard's interface was read. */
  mtuRead({ device, mtu }: Extract<Input, { type: 'mtu-read' }>, now: Now): void {
    const { context, peers } = this.#parts
    context.interfaceMtu = { device, mtu }
    for (const peer of peers.values()) peer.settle(now)
  }

  /** Streams in place of UDP have come or gone. */
  #streamsChanged(streams: readonly LocalSocket[], now: Now): void {
    const { context, relays, peers } = this.#parts
    const { paths } = context
    const former = paths.streamSockets
    paths.streamSockets = streams
    relays.streamsChanged(streams, former, now.instant)
    for (const peer of peers.values()) peer.waysToRelaysChanged(now)
  }

  #surroundingsChanged(now: Now): void {
    const { own, discovery, peers } = this.#parts
    own.nat.review(now.instant)
    discovery.describe(now)
    for (const peer of peers.values()) peer.surroundingsChanged(now)
  }
}

function haveSameIds(a: readonly LocalSocket[], b: readonly LocalSocket[]): boolean {
  return a.length === b.length && a.every(({ id }, index) => id === b[index]?.id)
}
