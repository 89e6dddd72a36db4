/** An attacker in a world: at a public address of its own, and a member of the mesh like any other. */

import type { Random } from '../../src/base/random.js'
import { Attacker } from '../search/attacker.js'
import type { Eavesdropper } from '../search/eavesdropper.js'
import type { World } from '../world.js'
import { cleanLink } from './access.js'

const PORT = 7_000

/** `heard` is among the observers of the world. */
export function attackerIn(world: World, heard: Eavesdropper, name: string, random: Random): Attacker {
  const { queue, internet, mesh, cryptography } = world
  const place = internet.publicPlace('asia', cleanLink(1))
  place.attach(name, () => undefined)
  const member = {
    name,
    publicKey: undefined,
    identity: random.bytes(32),
    ips: place.ips,
    streamDelay: (to: string) => place.streamDelay(to),
    handle: () => undefined,
  }
  mesh.join(member)
  const [ip] = place.ips
  if (ip === undefined) throw new Error(`${name} has no address`)
  return new Attacker({
    random,
    heard,
    keys: cryptography.wireguardKeys(random.bytes(32)),
    identity: member.identity,
    address: { ip, port: PORT },
    send: (from, to, bytes) => place.send({ from, to, bytes, author: name }),
    knock: (effect) => mesh.knock(member, effect),
    in: (ms, action) => queue.in(ms, action),
    unix: () => queue.now.unix,
  })
}
