import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { HostClock } from '../../../simulations/hosts/clock.js'
import { SHARED_PORT } from '../../../simulations/hosts/engineLoop.js'
import { Host } from '../../../simulations/hosts/host.js'
import { MEMBERSHIP } from '../../../simulations/hosts/membership.js'
import { perfectLink } from '../../../simulations/network/link.js'
import { World } from '../../../simulations/world.js'
import type { SocketAddress } from '../../../src/base/address.js'
import { isDropped } from '../../../src/base/drops.js'
import { seededRandom } from '../../../src/base/random.js'
import { SECOND } from '../../../src/base/time.js'
import { hmacSha256 } from '../../../src/crypto/hmacSha256.js'
import { grantMac, sealGrant } from '../../../src/crypto/relayGrant.js'
import { encodeBind, encodeGrantAsk } from '../../../src/engine/relay/messages.js'
import { decodeGranted } from '../../../src/wire/relayGrant.js'
import { decodeServices } from '../../../src/wire/services.js'
import { decodeStun, encodeStun } from '../../../src/wire/stun/message.js'
import { BINDING } from '../../../src/wire/stun/registry.js'

describe('a server', () => {
  it('reflects in both families, for anybody', () => {
    const { server, probe, ask } = serverAndProbe()
    assert.equal(server.place.ips.length, 2)
    assert.deepEqual(
      ask(),
      probe.ips.map((ip) => ({ ip, port: 7 })),
    )
  })

  it('reflects no more while it is down, however that came, and again when it is back', () => {
    for (const goDown of ['crash', 'hang', 'cut'] as const) {
      const { server, ask } = serverAndProbe()
      server[goDown]()
      assert.equal(server.serves, false)
      assert.deepEqual(ask(), [])
      server.restore()
      assert.equal(server.serves, true)
      assert.equal(ask().length, 2)
    }
  })
})

describe('a server that relays', () => {
  it('gives members a session, and passes on between those who bound, from one family to the other', () => {
    const { ana, ben, server, pass } = relaying()
    ana.ask()
    assert.equal(server.relaySessions, 1)
    assert.equal(ana.session.length, 2)
    ana.bind(0)
    ben.session = ana.session
    ben.bind(1)
    assert.deepEqual(pass(ana, ben), [DATA])
    assert.deepEqual(pass(ben, ana), [DATA])
  })

  it('says that it relays, and says nothing while it is down', () => {
    const { server } = relaying()
    const services = decodeServices(server.mesh.services)
    assert.ok(!isDropped(services) && services.relay !== undefined)
    assert.equal(services.relay.load, 0)
    server.crash()
    assert.equal(server.relayOffer, undefined)
  })

  it('gives no session to who is no member', () => {
    const { ana, server } = relaying()
    ana.ask(new Uint8Array(32))
    assert.equal(server.relaySessions, 0)
    assert.equal(ana.refused, 403)
  })

  it('has no session any more when it was started again, and misbehaves on', () => {
    const { ana, ben, server, pass } = relaying()
    ana.ask()
    server.relayLike({ type: 'drops' })
    server.restart()
    assert.equal(server.relaySessions, 0)
    ana.ask()
    ana.bind(0)
    ben.session = ana.session
    ben.bind(1)
    assert.deepEqual(pass(ana, ben), [])
    server.relayLike(undefined)
    assert.deepEqual(pass(ana, ben), [DATA])
  })

  it('ends a session to which nobody binds', () => {
    const { ana, server, world } = relaying()
    ana.ask()
    world.queue.run(20 * SECOND)
    assert.equal(server.relaySessions, 0)
  })
})

const DATA = Uint8Array.of(4, 0, 0, 0, 9, 9, 9, 9)
const KEY = new Uint8Array(32).fill(3)
const NAMES = [new Uint8Array(16).fill(1), new Uint8Array(16).fill(2)] as const

function relaying() {
  const servers = [{ region: 'europe', relays: true }] as const
  const world = new World({ sites: [], hosts: [], servers, pairs: [] }, { seed: 1 })
  const [server] = world.servers
  assert.ok(server !== undefined)
  const random = seededRandom(1)
  const hmac = hmacSha256(KEY)
  const member = (name: string) => {
    const host = new Host({ name, clock: new HostClock(world.queue), observers: [] })
    host.attach(world.internet.publicPlace('asia', perfectLink(5)))
    const heard: Uint8Array[] = []
    const self = { host, heard, session: [] as readonly SocketAddress[], refused: 0, ask, bind }
    host.bind(7, ({ from, bytes }) => {
      heard.push(bytes)
      const answer = decodeStun(bytes)
      if (isDropped(answer)) return
      self.refused = answer.error?.code ?? self.refused
      const granted = answer.granted === undefined ? [] : decodeGranted(answer.granted, from.ip)
      if (!isDropped(granted) && granted.length > 0) self.session = granted
    })
    /** Asks for a session, as a member of the network with this membership key. */
    function ask(membership = MEMBERSHIP): void {
      const terms = { issuedAt: world.queue.now.unix, key: KEY, names: NAMES }
      const relayPublicKey = server?.relayOffer?.publicKey ?? assert.fail()
      const mac = grantMac(hmacSha256(membership), relayPublicKey, terms)
      const request = { ...terms, proof: { type: 'network', mac } as const }
      const sealed = sealGrant(relayPublicKey, request, random) ?? assert.fail()
      const to = { ip: server?.place.ips[0] ?? '', port: SHARED_PORT }
      host.sendFromAny(7, to, encodeGrantAsk(random.bytes(12), sealed), undefined)
      world.queue.run(SECOND)
    }
    /** Binds one side, Ana's by IPv4, Ben's by IPv6. */
    function bind(side: 0 | 1): void {
      const bound = encodeBind(random.bytes(12), NAMES[side], world.queue.now.unix, hmac)
      host.sendFromAny(7, self.session[side] ?? assert.fail(), bound, undefined)
      world.queue.run(SECOND)
      heard.length = 0
    }
    return self
  }
  const [ana, ben] = [member('ana'), member('ben')]
  const pass = (from: typeof ana, to: typeof ana): readonly Uint8Array[] => {
    const at = from.session[from === ana ? 0 : 1] ?? assert.fail()
    from.host.sendFromAny(7, at, DATA, undefined)
    world.queue.run(SECOND)
    return to.heard.splice(0)
  }
  return { world, server, ana, ben, pass }
}

function serverAndProbe() {
  const world = new World(
    { sites: [], hosts: [], servers: [{ region: 'europe', relays: false }], pairs: [] },
    { seed: 1 },
  )
  const [server] = world.servers
  assert.ok(server !== undefined)
  const probe = new Host({ name: 'probe', clock: new HostClock(world.queue), observers: [] })
  probe.attach(world.internet.publicPlace('asia', perfectLink(5)))
  const answers: unknown[] = []
  probe.bind(7, ({ bytes }) => {
    const answer = decodeStun(bytes)
    answers.push(isDropped(answer) ? answer : answer.mappedAddress)
  })
  /** Asks the server at each of its addresses where we are. */
  const ask = (): readonly unknown[] => {
    answers.length = 0
    const transactionId = new Uint8Array(12)
    const request = encodeStun({ messageClass: 'request', method: BINDING, transactionId })
    for (const ip of server.place.ips) probe.sendFromAny(7, { ip, port: SHARED_PORT }, request, undefined)
    world.queue.run(SECOND)
    return answers
  }
  return { world, server, probe, ask }
}
