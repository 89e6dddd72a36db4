/**
 * The ways to a member that is to be knocked, to be tried beside each other, as src/io/mesh/knock.ts finds them
 * (`dialsTo`): its addresses, and the relays that its record names; for want of these, the servers that serve us.
 *
 * In round trips: to an address 2 (TCP, noise). Through a relay, along the whole way: 1 for the relay's request to the
 * other, 1 for noise; before that, 2 to the relay itself where it is not connected.
 */

import { ask } from './channel.js'
import { Connection } from './connection.js'
import { Relayed } from './relayed.js'
import { type Contact, Seat } from './seat.js'
import type { Server } from './server.js'
import type { Setting } from './setting.js'
import { DIAL_MS, dialTcp } from './tcpDial.js'

/** As in src/io/mesh/knock.ts. */
export const MAX_ADDRESSES = 12
export const MAX_GUESSED_RELAYS = 4
export const RELAY_HEAD_START_MS = 50

/** Of a request to relay, and of noise, in bytes, about. */
const RELAY_BYTES = 120
const NOISE_BYTES = 200

/** How a way ends: with the connection that opened, or why it did not. */
export type WayEnd = (contact: Contact | string) => void

/** Tries a way, and goes no further than it has come once `isOff`. Calls back at most once. */
export type Way = (isOff: () => boolean, done: WayEnd) => void

export interface Whereabouts {
  readonly setting: Setting
  /** The servers by their addresses. */
  readonly serverAt: (ip: string) => Server | undefined
  /** The newest run of the member with an identity. */
  readonly seatOf: (key: string) => Seat | undefined
}

/** The ways from `seat` to the member with the identity `key`, which names these multiaddrs. */
export function waysTo(
  seat: Seat,
  key: string,
  multiaddrs: readonly string[],
  whereabouts: Whereabouts,
): readonly Way[] {
  const addresses = multiaddrs.slice(0, MAX_ADDRESSES).map(parse)
  const direct = addresses.filter(({ isCircuit }) => !isCircuit)
  const circuits = addresses.filter(({ isCircuit }) => isCircuit)
  const named = new Map<Server | string, Server | undefined>()
  for (const { ip } of circuits) {
    const server = whereabouts.serverAt(ip)
    named.set(server ?? ip, server)
  }
  const relays = circuits.length > 0 ? [...named.values()] : guessed(seat)
  const behind = circuits.length === 0 && direct.length > 0 ? 1 : 0
  const nearest = [
    ...relays.filter((relay) => relay !== undefined && isConnected(seat, relay)),
    ...relays.filter((relay) => relay === undefined || !isConnected(seat, relay)),
  ]
  return [
    ...direct.map(
      ({ ip }): Way =>
        (isOff, done) =>
          dialDirectly(seat, key, ip, whereabouts, isOff, done),
    ),
    ...nearest.map(
      (relay, index): Way =>
        (isOff, done) =>
          seat.in((index + behind) * RELAY_HEAD_START_MS, () => {
            if (isOff()) return
            if (relay !== undefined) dialThrough(seat, key, relay, whereabouts, isOff, done)
            else seat.in(DIAL_MS, () => done('the relay could not be reached'))
          }),
    ),
  ]
}

/** The relays that these multiaddrs name, or where they name none the servers, that `seat` is connected to. */
export function connectedRelays(
  seat: Seat,
  multiaddrs: readonly string[],
  { serverAt }: Pick<Whereabouts, 'serverAt'>,
): readonly Server[] {
  const named = multiaddrs.map(parse).flatMap(({ ip, isCircuit }) => (isCircuit ? (serverAt(ip) ?? []) : []))
  const hasNamed = multiaddrs.some((multiaddr) => parse(multiaddr).isCircuit)
  const relays = hasNamed ? [...new Set(named)] : [...seat.serving.keys()]
  return relays.filter((server) => isConnected(seat, server))
}

function guessed(seat: Seat): readonly Server[] {
  return [...seat.serving.keys()].slice(0, MAX_GUESSED_RELAYS)
}

function isConnected(seat: Seat, server: Server): boolean {
  return seat.link(server).connection !== undefined
}

function parse(multiaddr: string): { readonly ip: string; readonly isCircuit: boolean } {
  return { ip: multiaddr.split('/')[2] ?? '', isCircuit: multiaddr.includes('/p2p-circuit') }
}

function dialDirectly(
  seat: Seat,
  key: string,
  ip: string,
  { setting, seatOf }: Whereabouts,
  isOff: () => boolean,
  done: WayEnd,
): void {
  const target = seatOf(key)
  // Whoever else is there has another identity, and does not open a connection with ours.
  if (target === undefined || !target.isAt(ip, seat)) {
    seat.in(DIAL_MS, () => done('it is not at its address'))
    return
  }
  dialTcp(seat, { listener: target, ips: [ip] }, setting, (dialled) => {
    if (isOff()) return
    if (dialled === undefined || !target.isHere || !target.ips.includes(ip)) {
      done('its address does not answer')
      return
    }
    const { source } = dialled
    const connection = new Connection({ setting, dialler: seat, acceptor: target, ip, source })
    open(seat, target, connection, done)
  })
}

function open(seat: Seat, target: Seat, channel: Contact['channel'], done: WayEnd): void {
  const contact: Contact = { seat: target, channel }
  seat.addContact(contact)
  target.addContact({ seat, channel })
  done(contact)
}

function dialThrough(
  seat: Seat,
  key: string,
  server: Server,
  { setting }: Whereabouts,
  isOff: () => boolean,
  done: WayEnd,
): void {
  const { counts } = setting
  const connect = (leg: Connection): void => {
    let otherLeg: Connection | undefined
    const put = (answer: (target: Seat | 'none' | undefined, length: number) => void): void => {
      otherLeg = server.relaysOver({ key })
      if (otherLeg === undefined) {
        answer('none', RELAY_BYTES)
        return
      }
      // The relay asks the other, over a stream of its own.
      const target = otherLeg.other(server)
      const stop = {
        length: RELAY_BYTES,
        deadlineMs: undefined,
        put: (accept: (accepted: true, length: number) => void) => accept(true, RELAY_BYTES),
      }
      ask(otherLeg, server, stop, counts, ({ type }) =>
        answer(type === 'answered' && target instanceof Seat ? target : 'none', RELAY_BYTES),
      )
    }
    ask(leg, seat, { length: RELAY_BYTES, deadlineMs: undefined, put }, counts, (outcome) => {
      if (isOff()) return
      if (outcome.type !== 'answered' || otherLeg === undefined || typeof outcome.answer !== 'object') {
        done('it has no reservation at the relay')
        return
      }
      const target = outcome.answer
      const relayed = new Relayed(server, [leg, otherLeg])
      const noise = {
        length: NOISE_BYTES,
        deadlineMs: undefined,
        put: (answer: (key: true, length: number) => void) => answer(true, NOISE_BYTES),
      }
      ask(relayed, seat, noise, counts, ({ type }) => {
        if (isOff()) relayed.close(seat)
        else if (type === 'answered') open(seat, target, relayed, done)
        else done('the relayed connection closed')
      })
    })
  }
  seat.link(server).open((connection) => {
    if (isOff()) return
    if (connection === undefined) done('the relay could not be reached')
    else connect(connection)
  })
}
