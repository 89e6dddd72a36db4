/** Puts an attacker into a world: it has a public address, hears what is on the wire, and is in the mesh. */

import { seededRandom } from '../../src/base/random.js'
import type { Input } from '../../src/engine/inputs.js'
import { perfectLink } from '../network/link.js'
import type { World } from '../world.js'
import { Attacker } from './attacker.js'
import { Eavesdropper } from './eavesdropper.js'

const NAME = 'attacker'
const PORT = 7_000

/** What it draws is its own: an attack changes nothing of what else is drawn. */
const DRAWS = 0x5eed

/** `onAnswered` is told of each knock that somebody answers. */
export function placeAttacker(world: World, seed: number, onAnswered: () => void): Attacker {
  const { queue, internet, mesh, cryptography, observers } = world
  const heard = new Eavesdropper()
  observers.push(heard)
  const random = seededRandom(seed ^ DRAWS)
  const place = internet.publicPlace('asia', perfectLink(1))
  const member = {
    name: NAME,
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
    address: { ip: place.ips[0] ?? '', port: PORT },
    send: (from, to, bytes) => place.send({ from, to, bytes, author: NAME }),
    knock: (effect) => mesh.knock(member, effect),
    in: (ms, action) => queue.in(ms, action),
    unix: () => queue.now.unix,
  })
  place.attach(NAME, (datagram) => attacker.received(datagram))
  mesh.join(member)
  return attacker
}
