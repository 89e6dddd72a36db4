/** The gateways do what RFC 4787 says of their kind; everything else in the laboratory is measured against that. */

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { SocketAddress } from '../../src/base/address.js'
import type { GatewayKind } from './gateway.js'
import type { Host } from './host.js'
import { Laboratory } from './laboratory.js'
import { UdpProbe } from './udpProbe.js'

interface Behaviour {
  readonly mapping: 'one port for every remote' | 'a port for each remote'
  /** Of the senders that were not sent to, those that get in. */
  readonly lets: readonly ('another port' | 'another address')[]
}

const BEHAVIOURS: Readonly<Record<GatewayKind, Behaviour>> = {
  'full-cone': { mapping: 'one port for every remote', lets: ['another port', 'another address'] },
  'address-restricted': { mapping: 'one port for every remote', lets: ['another port'] },
  'port-restricted': { mapping: 'one port for every remote', lets: [] },
  symmetric: { mapping: 'a port for each remote', lets: [] },
}

let lab: Laboratory
/** Two hosts on the internet; the first one with two sockets. */
let first: Host
let second: Host
let firstProbe: UdpProbe
let firstOtherPort: UdpProbe
let secondProbe: UdpProbe

before(async () => {
  lab = await Laboratory.create()
  ;[first, second] = await Promise.all([lab.host(), lab.host()])
  ;[firstProbe, firstOtherPort, secondProbe] = await Promise.all([
    UdpProbe.open(first),
    UdpProbe.open(first),
    UdpProbe.open(second),
  ])
})

after(() => lab.close())

for (const [kind, behaviour] of Object.entries(BEHAVIOURS) as [GatewayKind, Behaviour][]) {
  describe(`The ${kind} gateway`, () => {
    test(`maps an inner port to ${behaviour.mapping}`, async () => {
      const gateway = await lab.gateway(kind)
      const inner = await UdpProbe.open(await lab.host({ behind: gateway }))
      const seen: SocketAddress[] = []
      for (const [probe, host] of [
        [firstProbe, first],
        [firstOtherPort, first],
        [secondProbe, second],
      ] as const)
        seen.push(await seenFrom(inner, probe, host))

      assert.deepEqual(new Set(seen.map(({ ip }) => ip)), new Set([gateway.address]))
      const ports = new Set(seen.map(({ port }) => port))
      if (behaviour.mapping === 'one port for every remote') assert.deepEqual(ports, new Set([inner.port]))
      else assert.ok(ports.size > 1, `three remotes saw the same port ${[...ports]}`)
      await inner.close()
    })

    test(`lets in ${['whom was sent to', ...behaviour.lets].join(', ')}, and nobody else`, async () => {
      const gateway = await lab.gateway(kind)
      const inner = await UdpProbe.open(await lab.host({ behind: gateway }))
      const mapped = await seenFrom(inner, firstProbe, first)

      await firstOtherPort.send(mapped, 'another port')
      await secondProbe.send(mapped, 'another address')
      await firstProbe.send(mapped, 'whom was sent to')

      assert.deepEqual(await receiveUntil(inner, 'whom was sent to'), [...behaviour.lets, 'whom was sent to'])
      await inner.close()
    })

    test('keeps the port of one who sent to it before it was sent to', async () => {
      const gateway = await lab.gateway(kind)
      const inner = await UdpProbe.open(await lab.host({ behind: gateway }))
      const mapped = await seenFrom(inner, firstProbe, first)
      await secondProbe.send(mapped, 'too early')
      const seen = await seenFrom(inner, secondProbe, second)
      if (behaviour.mapping === 'one port for every remote') assert.deepEqual(seen, mapped)
      else assert.equal(seen.ip, gateway.address)
      await inner.close()
    })
  })
}

test('A full cone gives each inner host what comes in for its own port', async () => {
  const gateway = await lab.gateway('full-cone')
  const probes = await Promise.all([1, 2].map(async () => UdpProbe.open(await lab.host({ behind: gateway }))))
  for (const inner of probes) {
    const mapped = await seenFrom(inner, firstProbe, first)
    await secondProbe.send(mapped, `for port ${inner.port}`)
    assert.equal((await inner.receive()).text, `for port ${inner.port}`)
    await inner.close()
  }
})

test('Behind a gateway behind a gateway, a host is seen from the outer one, and both filter', async () => {
  const outer = await lab.gateway('port-restricted')
  const middle = await UdpProbe.open(await lab.host({ behind: outer }))
  const nested = await lab.gateway('full-cone', { behind: outer })
  const inner = await UdpProbe.open(await lab.host({ behind: nested }))

  const mapped = await seenFrom(inner, firstProbe, first)
  assert.deepEqual(mapped, { ip: outer.address, port: inner.port })
  await secondProbe.send(mapped, 'another address')
  await firstProbe.send(mapped, 'whom was sent to')
  assert.deepEqual(await receiveUntil(inner, 'whom was sent to'), ['whom was sent to'])

  // The inner gateway alone is a full cone to its neighbours on the outer one's LAN.
  await middle.send({ ip: nested.address, port: inner.port }, 'a neighbour')
  assert.equal((await inner.receive()).text, 'a neighbour')
  await Promise.all([middle.close(), inner.close()])
})

test('Hosts behind the same gateway reach each other at their LAN addresses, and not at the public one', async () => {
  const gateway = await lab.gateway('full-cone')
  const hosts = await Promise.all([lab.host({ behind: gateway }), lab.host({ behind: gateway })])
  const [a, b] = await Promise.all([UdpProbe.open(hosts[0]), UdpProbe.open(hosts[1])])
  const mapped = await seenFrom(a, firstProbe, first)
  await b.send(mapped, 'at the public address')
  await b.send({ ip: hosts[0].address, port: a.port }, 'on the LAN')
  assert.deepEqual(await a.receive(), { from: { ip: hosts[1].address, port: b.port }, text: 'on the LAN' })
  await Promise.all([a.close(), b.close()])
})

test('A gateway that hairpins brings what its LAN sends to its public address back, from there', async () => {
  const gateway = await lab.gateway('port-restricted', { hairpins: true, isolated: true })
  const hosts = await Promise.all([lab.host({ behind: gateway }), lab.host({ behind: gateway })])
  const [a, b] = await Promise.all([UdpProbe.open(hosts[0]), UdpProbe.open(hosts[1])])
  const mapped = await seenFrom(a, firstProbe, first)
  await b.send(mapped, 'at the public address')
  const { from, text } = await a.receive()
  assert.equal(text, 'at the public address')
  assert.equal(from.ip, gateway.address)
  await a.send(from, 'and back')
  assert.deepEqual(await b.receive(), { from: mapped, text: 'and back' })
  await Promise.all([a.close(), b.close()])
})

test('Members of an isolated LAN reach the internet, and not each other', async () => {
  const gateway = await lab.gateway('port-restricted', { isolated: true, isCarrierGrade: true })
  const hosts = await Promise.all([lab.host({ behind: gateway }), lab.host({ behind: gateway })])
  assert.match(hosts[0].address, /^100\.64\./)
  assert.equal((await hosts[0].ping(first.address)).received, 1)
  assert.equal((await hosts[0].ping(hosts[1].address, { timeoutMs: 100 })).received, 0)
})

test('Behind a gateway with IPv6, hosts have global addresses, and its firewall lets in what was asked for', async () => {
  const gateway = await lab.gateway('symmetric', { ipv6: true })
  const host = await lab.host({ behind: gateway, family: 6 })
  const address6 = host.address6 ?? assert.fail()
  const first6 = first.address6 ?? assert.fail()
  assert.equal((await host.ping(first6)).received, 1)
  await assert.rejects(host.ping(first.address))
  const inner = await UdpProbe.open(host, 6)
  const [asked, other] = await Promise.all([UdpProbe.open(first, 6), UdpProbe.open(second, 6)])
  await inner.send({ ip: first6, port: asked.port }, 'hello')
  const { from } = await asked.receive()
  assert.deepEqual(from, { ip: address6, port: inner.port })
  await other.send(from, 'another address')
  await asked.send(from, 'whom was sent to')
  assert.deepEqual(await receiveUntil(inner, 'whom was sent to'), ['whom was sent to'])
  await Promise.all([inner, asked, other].map((probe) => probe.close()))
})

test('A private address of someone else is not reached over the internet', async () => {
  const strangers = await lab.host({ behind: await lab.gateway('full-cone') })
  const { received } = await first.ping(strangers.address, { timeoutMs: 100 })
  assert.equal(received, 0)
})

test('A gateway that forgets its mappings lets nobody in until it is used again', async () => {
  const gateway = await lab.gateway('full-cone')
  const inner = await UdpProbe.open(await lab.host({ behind: gateway }))
  const mapped = await seenFrom(inner, firstProbe, first)
  await gateway.forgetMappings()
  await firstProbe.send(mapped, 'before')
  const again = await seenFrom(inner, secondProbe, second)
  await secondProbe.send(again, 'after')
  assert.deepEqual(await receiveUntil(inner, 'after'), ['after'])
  await inner.close()
})

test('A gateway that is renumbered sends from its new address', async () => {
  const gateway = await lab.gateway('port-restricted')
  const inner = await UdpProbe.open(await lab.host({ behind: gateway }))
  const earlier = await seenFrom(inner, firstProbe, first)
  await gateway.renumber()
  const later = await seenFrom(inner, firstProbe, first)
  assert.notEqual(later.ip, earlier.ip)
  assert.equal(later.ip, gateway.address)
  await inner.close()
})

test('A gateway can block UDP, and nothing else, and let it pass again', async () => {
  const gateway = await lab.gateway('port-restricted')
  const host = await lab.host({ behind: gateway })
  const inner = await UdpProbe.open(host)
  await gateway.blockUdp(true)
  await inner.send({ ip: first.address, port: firstProbe.port }, 'blocked')
  assert.equal((await host.ping(first.address)).received, 1)
  await gateway.blockUdp(false)
  // What was blocked would have come first.
  await seenFrom(inner, firstProbe, first)
  await inner.close()
})

/** Sends from `inner` to a probe on the internet and says from where it was seen to come. */
async function seenFrom(inner: UdpProbe, outside: UdpProbe, outsideHost: Host): Promise<SocketAddress> {
  await inner.send({ ip: outsideHost.address, port: outside.port }, 'hello')
  const { from, text } = await outside.receive()
  assert.equal(text, 'hello')
  return from
}

/** All that a probe receives until `last` came: packets stay in order, so what is not there was dropped on the way. */
async function receiveUntil(probe: UdpProbe, last: string): Promise<string[]> {
  const texts: string[] = []
  while (texts.at(-1) !== last) texts.push((await probe.receive()).text)
  return texts
}
