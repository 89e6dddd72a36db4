import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { parsePrefix } from '../../../src/base/address.js'
import { HOUR, MINUTE, SECOND } from '../../../src/base/time.js'
import type { Effect } from '../../../src/engine/effects.js'
import type { Input, LocalSocket, MachineRoute } from '../../../src/engine/inputs.js'
import type { MappedTransport, MappingProtocol, MappingSite } from '../../../src/engine/path/mappedPort.js'
import { MAPPING_LIFETIME_MS, PortMapping } from '../../../src/engine/path/portMapping.js'
import type { Candidate } from '../../../src/wire/candidate.js'
import { EffectLog } from '../effectLog.js'
import { at, sleepUntil } from '../virtualTime.js'

const PORT = 51_821
const HOME: LocalSocket = {
  id: 1,
  address: { ip: '192.168.1.10', port: PORT },
  device: 'eth0',
  purpose: 'shared',
}
const SITE: MappingSite = { gateway: '192.168.1.1', device: 'eth0', local: '192.168.1.10' }
const OUTER = '203.0.113.10'
const SEEN: readonly Candidate[] = [{ type: 'server-reflexive', address: { ip: OUTER, port: 4_000 } }]
const NONCE = new Uint8Array(12).fill(7)

function route(prefix: string, device: string, gateway?: string, tunnel = false): MachineRoute {
  const parsed = parsePrefix(prefix)
  assert.ok(parsed !== undefined)
  return { prefix: parsed, device, tunnel, gateway }
}

const HOME_ROUTES = [route('0.0.0.0/0', 'eth0', '192.168.1.1'), route('192.168.1.0/24', 'eth0')]

/** A gateway's answer to one request for a port, or that there is none. */
type Reply =
  | { readonly ip?: string; readonly port?: number; readonly lifetimeMs?: number }
  | 'conflict'
  | 'refused'
  | 'silent'
  | 'lost'

/** A mapper, and gateways that answer at once. */
class Player {
  readonly mapping: PortMapping
  readonly #log = new EffectLog()
  speaks: readonly MappingProtocol[] = ['pcp']
  reply: (by: MappingProtocol, protocol: MappedTransport, external: number) => Reply = () => ({})
  readonly done: (readonly [ms: number, effect: Effect])[] = []
  ms = 0

  constructor(options: { readonly nonce: Uint8Array } | undefined = { nonce: NONCE }) {
    this.mapping = new PortMapping(options, this.#log.emit)
  }

  arrive(sockets: readonly LocalSocket[] = [HOME], routes: readonly MachineRoute[] = HOME_ROUTES): void {
    this.mapping.change({ routes }, at(this.ms))
    this.mapping.change({ sockets }, at(this.ms))
    this.#perform()
    this.pass(SECOND)
  }

  see(candidates: readonly Candidate[]): void {
    this.mapping.setReflexive(candidates, at(this.ms))
    this.#perform()
  }

  tell(
    input: Extract<
      Input,
      { type: 'gateway-answered' | 'gateway-probed' | 'port-mapped' | 'port-mapping-failed' }
    >,
  ) {
    this.mapping.handle(input, at(this.ms))
    this.#perform()
  }

  pass(ms: number): void {
    const until = this.ms + ms
    sleepUntil(this.mapping, this.ms, until, (now) => {
      this.ms = now
      this.mapping.wake(at(now))
      this.#perform()
    })
    this.ms = until
  }

  of<Type extends Effect['type']>(type: Type): Extract<Effect, { type: Type }>[] {
    return this.done.flatMap(([, effect]) =>
      effect.type === type ? [effect as Extract<Effect, { type: Type }>] : [],
    )
  }

  times(type: Effect['type']): readonly number[] {
    return this.done.flatMap(([ms, effect]) => (effect.type === type ? [ms] : []))
  }

  #perform(): void {
    for (let effects = this.#log.take(); effects.length > 0; effects = this.#log.take())
      for (const effect of effects) this.#do(effect)
  }

  #do(effect: Effect): void {
    this.done.push([this.ms, effect])
    if (effect.type === 'probe-gateway') {
      const { site, protocols } = effect
      for (const by of this.speaks)
        if (protocols.includes(by)) this.mapping.handle({ type: 'gateway-answered', site, by }, at(this.ms))
      this.mapping.handle({ type: 'gateway-probed', site }, at(this.ms))
    }
    if (effect.type !== 'map-port') return
    const { site, by, protocol, internalPort, externalPort } = effect.port
    const reply = this.reply(by, protocol, externalPort)
    const which = { site, by, protocol, internalPort }
    if (reply === 'lost') return
    if (typeof reply === 'string') {
      this.mapping.handle(
        { type: 'port-mapping-failed', ...which, reason: reply, detail: reply },
        at(this.ms),
      )
      return
    }
    const { ip = OUTER, port = externalPort, lifetimeMs = effect.lifetimeMs } = reply
    this.mapping.handle({ type: 'port-mapped', ...which, external: { ip, port }, lifetimeMs }, at(this.ms))
  }
}

function atHome(reply?: Player['reply'], speaks?: Player['speaks']): Player {
  const player = new Player()
  if (reply !== undefined) player.reply = reply
  if (speaks !== undefined) player.speaks = speaks
  player.see(SEEN)
  player.arrive()
  return player
}

describe('Which gateways are asked', () => {
  test('that of the default route, from our private address, by all protocols', () => {
    const player = atHome()
    assert.deepEqual(player.of('probe-gateway'), [
      { type: 'probe-gateway', site: SITE, protocols: ['pcp', 'nat-pmp', 'upnp'] },
    ])
  })

  test('for IPv6, from our global addresses, by PCP only', () => {
    const player = new Player()
    const sockets = ['fd00::10', '2001:db8::10'].map((ip, id) => ({
      id,
      address: { ip, port: PORT },
      device: 'eth0',
      purpose: 'shared' as const,
    }))
    player.arrive(sockets, [route('::/0', 'eth0', 'fe80::1')])
    const site = { gateway: 'fe80::1', device: 'eth0', local: '2001:db8::10' }
    assert.deepEqual(player.of('probe-gateway'), [{ type: 'probe-gateway', site, protocols: ['pcp'] }])
  })

  test('none where the address is public, where the route leads through a tunnel or to no gateway, or where it is turned off', () => {
    const open: LocalSocket = { ...HOME, address: { ip: '203.0.113.10', port: PORT } }
    for (const [player, sockets, routes] of [
      [new Player(), [open], [route('0.0.0.0/0', 'eth0', '203.0.113.1')]],
      [new Player(), [HOME], [route('0.0.0.0/0', 'eth0', '192.168.1.1', true)]],
      [new Player(), [HOME], [route('0.0.0.0/0', 'eth0')]],
      [new Player(), [HOME], [route('10.0.0.0/8', 'eth0', '192.168.1.1')]],
      [new Player(), [HOME], [route('0.0.0.0/0', 'wlan0', '192.168.1.1')]],
    ] as const) {
      player.arrive(sockets, routes)
      assert.deepEqual(player.done, [])
    }
    const off = new PortMapping(undefined, () => assert.fail('it was turned off'))
    off.change({ sockets: [HOME], routes: HOME_ROUTES }, at(0))
    assert.equal(off.nextWake, undefined)
  })

  test('one where nobody answers, ever more rarely', () => {
    const player = atHome(undefined, [])
    player.pass(5 * HOUR)
    assert.deepEqual(
      player.times('probe-gateway').map((ms) => Math.floor(ms / MINUTE)),
      [0, 1, 3, 7, 15, 31, 63, 123, 183, 243],
    )
    assert.deepEqual(player.of('map-port'), [])
  })

  test('another one as soon as we are in another network, and what the former one opened is closed', () => {
    const player = atHome()
    const away: LocalSocket = { ...HOME, id: 2, address: { ip: '10.0.0.5', port: PORT } }
    player.arrive([away], [route('0.0.0.0/0', 'eth0', '10.0.0.1')])
    assert.deepEqual(
      player.of('unmap-port').map(({ port }) => [port.site, port.protocol, port.externalPort]),
      [
        [SITE, 'udp', PORT],
        [SITE, 'tcp', PORT],
      ],
    )
    assert.equal(player.of('probe-gateway').length, 2)
    assert.deepEqual(
      player.mapping.findings.ports.map(({ internal }) => internal.ip),
      ['10.0.0.5', '10.0.0.5'],
    )
  })
})

describe('What is asked for', () => {
  test('both ports, by the protocol that answered first, under our nonce', () => {
    const player = atHome(undefined, ['nat-pmp', 'upnp'])
    const port = { site: SITE, by: 'nat-pmp', internalPort: PORT, externalPort: PORT, nonce: NONCE } as const
    assert.deepEqual(player.of('map-port'), [
      { type: 'map-port', port: { ...port, protocol: 'udp' }, lifetimeMs: MAPPING_LIFETIME_MS },
      { type: 'map-port', port: { ...port, protocol: 'tcp' }, lifetimeMs: MAPPING_LIFETIME_MS },
    ])
  })

  test('the same port again at half of its time', () => {
    const player = atHome((_by, _protocol, external) => ({
      port: external === PORT ? 40_000 : external,
      lifetimeMs: HOUR,
    }))
    player.pass(2 * HOUR - 2 * SECOND)
    assert.deepEqual(
      player.times('map-port').map((ms) => Math.floor(ms / MINUTE)),
      [0, 0, 30, 30, 60, 60, 90, 90],
    )
    assert.deepEqual(
      player.of('map-port').map(({ port }) => port.externalPort),
      [PORT, PORT, 40_000, 40_000, 40_000, 40_000, 40_000, 40_000],
    )
  })

  test('no sooner than every 30 s, however short a time is granted', () => {
    const player = atHome(() => ({ lifetimeMs: 1 }))
    player.pass(10 * MINUTE)
    assert.ok(player.of('map-port').length <= 2 * (20 + 1))
  })

  test('other ports, where somebody has ours', () => {
    const player = atHome((_by, _protocol, external) => (external < PORT + 4 ? 'conflict' : {}))
    assert.deepEqual(
      player.of('map-port').map(({ port }) => `${port.protocol} ${port.externalPort}`),
      [PORT, PORT + 2, PORT + 4].flatMap((port) => [`udp ${port}`, `tcp ${port}`]),
    )
    assert.deepEqual(
      player.mapping.candidates.map(({ address }) => address),
      [{ ip: OUTER, port: PORT + 4 }],
    )
  })

  test('and a few of them only', () => {
    const player = atHome(() => 'conflict')
    player.pass(SECOND)
    assert.equal(player.of('map-port').length, 2 * 9)
  })

  test('the next protocol that the gateway speaks, where one refuses', () => {
    const player = atHome((by) => (by === 'upnp' ? {} : 'refused'), ['pcp', 'nat-pmp', 'upnp'])
    assert.deepEqual(
      player.mapping.findings.ports.map(({ by }) => by),
      ['upnp', 'upnp'],
    )
  })

  test('nothing for a while, where all refuse, which is said once for each', () => {
    const player = atHome(() => 'refused', ['pcp', 'nat-pmp', 'upnp'])
    player.pass(5 * HOUR)
    assert.ok(player.of('map-port').length <= 10 * 6)
    assert.equal(player.of('log').length, 3)
  })

  test('the port again, ever more rarely, where it could not be renewed, and it is kept until its time is over', () => {
    let isGone = false
    const player = atHome(() => (isGone ? 'silent' : {}))
    isGone = true
    player.pass(MAPPING_LIFETIME_MS - SECOND)
    assert.equal(player.mapping.candidates.length, 1)
    player.pass(SECOND)
    assert.equal(player.mapping.candidates.length, 0)
    assert.deepEqual(player.of('announce-mapped').at(-1)?.addresses, [])
    isGone = false
    player.pass(2 * HOUR)
    assert.equal(player.mapping.candidates.length, 1)
  })

  test('by UPnP, what could not be renewed in time is closed: it may have no end', () => {
    for (const [by, closed] of [
      ['upnp', 2],
      ['pcp', 0],
    ] as const) {
      let isGone = false
      const player = atHome(() => (isGone ? 'silent' : {}), [by])
      isGone = true
      player.pass(MAPPING_LIFETIME_MS - SECOND)
      assert.equal(player.of('unmap-port').length, 0)
      player.pass(SECOND)
      assert.equal(player.of('unmap-port').length, closed, by)
    }
  })

  test('it goes on where the shell lost an errand', () => {
    let lost = true
    const player = atHome(() => (lost ? 'lost' : {}))
    lost = false
    player.pass(10 * MINUTE)
    assert.equal(player.mapping.findings.ports.length, 2)
  })
})

describe('What is believed', () => {
  test('an address at which reflectors see us: the UDP port is a candidate, the TCP port is announced', () => {
    const player = atHome()
    assert.deepEqual(player.mapping.candidates, [{ type: 'mapped', address: { ip: OUTER, port: PORT } }])
    assert.deepEqual(player.of('announce-mapped'), [
      { type: 'announce-mapped', addresses: [{ ip: OUTER, port: PORT }] },
    ])
    assert.equal(player.mapping.findings.hasSecondNat, false)
  })

  test('nothing before a reflector has seen us', () => {
    const player = new Player()
    player.arrive()
    assert.deepEqual(
      player.mapping.findings.ports.map(({ verdict }) => verdict),
      ['unconfirmed', 'unconfirmed'],
    )
    assert.deepEqual([player.mapping.candidates, player.of('announce-mapped')], [[], []])
    player.see(SEEN)
    assert.equal(player.mapping.candidates.length, 1)
  })

  test('what was borne out, while no reflector answers any more', () => {
    const player = atHome()
    const before = player.mapping.candidates
    player.see([])
    assert.equal(player.mapping.candidates, before)
  })

  for (const [what, ip] of [
    ['a private address', '10.1.2.3'],
    ["a carrier's private address", '100.64.1.2'],
    ["somebody else's address", '198.51.100.9'],
    ['a multicast address', '224.0.0.1'],
    ['the loopback address', '127.0.0.1'],
  ] as const) {
    test(`not ${what}: there is a second NAT, which is said once`, () => {
      const player = atHome(() => ({ ip }))
      player.pass(3 * HOUR)
      assert.deepEqual([player.mapping.candidates, player.of('announce-mapped')], [[], []])
      assert.equal(player.mapping.findings.hasSecondNat, true)
      assert.equal(player.of('log').filter(({ level }) => level === 'warn').length, 1)
    })
  }

  test('no address of the other family, and no port 0', () => {
    for (const reply of [{ ip: '2001:db8::1' }, { port: 0 }, { lifetimeMs: 0 }]) {
      const player = atHome(() => reply)
      assert.deepEqual(player.mapping.findings.ports, [])
    }
  })

  test('and what was opened at such an address is closed', () => {
    const player = atHome(() => ({ ip: '2001:db8::1' }), ['upnp'])
    assert.deepEqual(
      player.of('unmap-port').map(({ port }) => [port.by, port.protocol, port.externalPort]),
      [
        ['upnp', 'udp', PORT],
        ['upnp', 'tcp', PORT],
      ],
    )
  })

  test('a pinhole of IPv6 is no candidate of its own: the address is known', () => {
    const player = new Player()
    const ip = '2001:db8::10'
    player.reply = () => ({ ip })
    player.arrive(
      [{ id: 1, address: { ip, port: PORT }, device: 'eth0', purpose: 'shared' }],
      [route('::/0', 'eth0', 'fe80::1')],
    )
    assert.deepEqual(
      player.mapping.findings.ports.map(({ verdict }) => verdict),
      ['believed', 'believed'],
    )
    assert.deepEqual(player.mapping.candidates, [])
  })

  test('when others see us elsewhere, the gateway is asked at once whether it moved', () => {
    let ip = OUTER
    const player = atHome(() => ({ ip }))
    player.pass(MINUTE)
    ip = '203.0.113.77'
    player.see([{ type: 'server-reflexive', address: { ip, port: 4_001 } }])
    assert.deepEqual(
      player.mapping.candidates.map(({ address }) => address.ip),
      [ip],
    )
  })

  test('answers to what was not asked change nothing', () => {
    const player = atHome()
    const before = player.mapping.findings
    const external = { ip: OUTER, port: 1_000 }
    const which = { by: 'pcp', protocol: 'udp', internalPort: PORT } as const
    player.tell({ type: 'port-mapped', site: SITE, ...which, external, lifetimeMs: HOUR })
    player.tell({
      type: 'port-mapped',
      site: { ...SITE, gateway: '192.168.1.9' },
      ...which,
      external,
      lifetimeMs: HOUR,
    })
    player.tell({ type: 'port-mapping-failed', site: SITE, ...which, reason: 'refused', detail: '' })
    player.tell({ type: 'gateway-answered', site: SITE, by: 'pcp' })
    assert.equal(player.mapping.findings, before)
  })
})

test('Whatever gateways answer, it sleeps most of the time', () => {
  const reply = fc.oneof(
    fc.constantFrom<Reply>('conflict', 'refused', 'silent', 'lost'),
    fc.record({
      ip: fc.constantFrom(OUTER, '10.0.0.1', '198.51.100.9', '::1', '2001:db8::1'),
      port: fc.constantFrom(0, 1, PORT, 65_535),
      lifetimeMs: fc.constantFrom(0, 1, SECOND, HOUR, Number.MAX_SAFE_INTEGER, Number.NaN),
    }),
  )
  const speaks = fc.uniqueArray(fc.constantFrom<MappingProtocol>('pcp', 'nat-pmp', 'upnp'))
  fc.assert(
    fc.property(fc.array(reply, { minLength: 1, maxLength: 20 }), speaks, (replies, spoken) => {
      let index = 0
      const player = atHome(() => replies[index++ % replies.length] ?? 'silent', spoken)
      player.pass(6 * HOUR)
      const [asked, said] = [player.of('map-port').length, player.of('log').length]
      // Both ports every 30 s at most, and each time as many outer ones as are tried for a conflict.
      assert.ok(asked <= ((6 * HOUR) / (30 * SECOND) + 2) * 2 * 9, `asked ${asked} times`)
      assert.ok(said <= 64, `said ${said} things`)
    }),
    { numRuns: 50 },
  )
})
