/** Puts an attacker into a world: it has a public address, hears what is on the wire, and is in the mesh. */

import type { Random } from '../../src/base/random.js'
import type { Input } from '../../src/engine/inputs.js'
import { perfectLink } from '../network/link.js'
import type { World } from '../world.js'
import { Attacker } from './attacker.js'
import type { Eavesdropper } from './eavesdropper.js'

const PORT = 7_000

export interface AttackerPlaceOptions {
  readonly name: string
  readonly random: Random
  /** Among the observers of the world. */
  readonly heard: Eavesdropper
  /** Is told of each knock that somebody answers. */
  readonly onAnswered: () => void
}

export function placeAttacker(
  world: World,
  { name, random, heard, onAnswered }: AttackerPlaceOptions,
): Attacker {
  const { queue, internet, mesh, cryptography } = world
  const place = internet.publicPlace('asia', perfectLink(1))
  const [ip] = place.ips
  if (ip === undefined) throw new Error(`${name} has no address`)
  const member = {
    name,
    publicKey: undefined,
    identity: random.bytes(32),
    ips: place.ips,
    streamDelay: (to: string) => place.streamDelay(to),
    handle: (input: Input) => {
      if (input.type === 'knock-answered') onAnswered()
    },
  }
  const attacker = new Attacker({
    random,
    heard,
    keys: cryptography.wireguardKeys(random.bytes(32)),
    identity: member.identity,
    address: { ip, port: PORT },
    send: (from, to, bytes) => place.send({ from, to, bytes, author: name }),
    knock: (effect) => mesh.knock(member, effect),
    gossip: ({ publicKey }, { topic, bytes }) => {
      mesh.gossip(member, topic, bytes)
      mesh.gossipUnjudged(publicKey, topic, bytes)
    },
    in: (ms, action) => queue.in(ms, action),
    unix: () => queue.now.unix,
  })
  place.attach(name, (datagram) => attacker.received(datagram))
  mesh.join(member)
  return attacker
}
