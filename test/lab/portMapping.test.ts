/**
 * Machines behind gateways that open ports when they are asked: by UPnP, NAT-PMP or PCP, of a real `miniupnpd`. The
 * machine `closed` is behind a symmetric NAT that opens none: it meets others who are behind such NATs only where theirs
 * has opened a port.
 */

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Status } from '../../src/daemon/status.js'
import type { MappingProtocol } from '../../src/engine/path/mappedPort.js'
import { until } from '../until.js'
import type { Capture } from './capture.js'
import { Fleet } from './fleet.js'
import type { Gateway, GatewayKind } from './gateway.js'
import { Laboratory } from './laboratory.js'
import type { PortDaemon } from './portDaemon.js'

const FOUND_OUT_MS = 90_000

interface Case {
  readonly name: string
  readonly kind: GatewayKind
  readonly protocol: MappingProtocol
}

const CASES: readonly Case[] = [
  { name: 'upnp', kind: 'symmetric', protocol: 'upnp' },
  { name: 'natpmp', kind: 'port-restricted', protocol: 'nat-pmp' },
  { name: 'pcp', kind: 'symmetric', protocol: 'pcp' },
]

let lab: Laboratory
let fleet: Fleet
const captures = new Map<string, Capture>()
const gateways = new Map<string, { readonly gateway: Gateway; readonly ports: PortDaemon }>()

before(async () => {
  lab = await Laboratory.create()
  const hosts = await Promise.all(
    CASES.map(async ({ name, kind, protocol }) => {
      const gateway = await lab.gateway(kind, { name: `${name}-gateway` })
      gateways.set(name, { gateway, ports: await gateway.openPorts([protocol]) })
      return [name, await lab.host({ name, behind: gateway })] as const
    }),
  )
  const beside = await lab.host({ name: 'beside', behind: placeOf('upnp').gateway })
  fleet = await Fleet.create(lab, {
    ...Object.fromEntries(hosts),
    beside,
    closed: 'symmetric',
    still: 'port-restricted',
  })
  for (const name of ['closed', 'still']) captures.set(name, await fleet.machine(name).host.capture())
  // One after the other: what is looked at does not depend on how busy the machine is.
  for (const machine of fleet.machines)
    await fleet.startMachine(machine, { portMapping: machine.name !== 'still' })
  await Promise.all(fleet.machines.map(({ daemon }) => daemon.untilPublished()))
})

after(() => lab.close())

function placeOf(name: string): { readonly gateway: Gateway; readonly ports: PortDaemon } {
  const place = gateways.get(name)
  assert.ok(place !== undefined)
  return place
}

async function untilMapped(name: string): Promise<Status['mapped']> {
  const { daemon } = fleet.machine(name)
  return until(
    `${name} to have its ports open`,
    async () => {
      const { mapped } = await daemon.status()
      return mapped.length === 2 && mapped.every(({ verdict }) => verdict === 'believed') ? mapped : undefined
    },
    FOUND_OUT_MS,
  )
}

for (const { name, kind, protocol } of CASES) {
  describe(`Behind a ${kind} NAT with ${protocol}`, () => {
    test('both ports are opened, at the address that others see', async () => {
      const mapped = await untilMapped(name)
      const { gateway, ports } = placeOf(name)
      for (const { by, external } of mapped) {
        assert.equal(by, protocol)
        assert.ok(external.startsWith(`${gateway.address}:`), external)
      }
      const outer = mapped.map((port) => `${port.protocol} ${port.external.split(':')[1]}`)
      const open = await ports.open()
      for (const port of outer) assert.ok(open.includes(port), `${port} is not among ${open}`)
    })

    test('the record names the mapped address', async () => {
      const mapped = await untilMapped(name)
      const udp = mapped.find((port) => port.protocol === 'udp')?.external
      const { publicKey } = fleet.machine(name).wireguard.keys
      await until('the record to name it', async () => {
        const { stdout } = await fleet.machine('closed').daemon.cli('resolve', [publicKey, '--json'])
        const { candidates } = JSON.parse(stdout) as {
          readonly candidates: readonly { readonly type: string; readonly address: string }[]
        }
        return candidates.some(({ type, address }) => type === 'mapped' && address === udp)
      })
    })

    test('others reach its TCP port, so it serves the mesh', async () => {
      const mapped = await untilMapped(name)
      const [ip, port] = mapped.find((each) => each.protocol === 'tcp')?.external.split(':') ?? []
      await until(
        `${name} to be reachable`,
        async () => (await fleet.machine(name).daemon.status()).reachable === true,
        FOUND_OUT_MS,
      )
      const { addresses } = await fleet.machine(name).daemon.status()
      assert.ok(addresses.some((address) => address.startsWith(`/ip4/${ip}/tcp/${port}/`)))
    })

    test('a machine behind a symmetric NAT that opens nothing has a direct path to it', async () => {
      await untilMapped(name)
      const [from, to] = [fleet.machine('closed'), fleet.machine(name)]
      const { received } = await from.host.ping(to.tunnelAddress, { count: 3 })
      assert.ok(received > 0)
      const { path } = await from.daemon.untilDirect(to.wireguard.keys.publicKey)
      assert.ok(kind !== 'symmetric' || path?.type === 'mapped', path?.type)
    })
  })
}

test('Two machines behind one gateway, with the same port of their own, get one outer port each', async () => {
  const ofBoth = [...(await untilMapped('upnp')), ...(await untilMapped('beside'))]
  assert.equal(new Set(ofBoth.map(({ internal }) => internal.split(':')[1])).size, 1)
  assert.equal(new Set(ofBoth.map(({ protocol, external }) => `${protocol} ${external}`)).size, 4)
})

test('A machine whose gateway opens nothing has nothing to say of it', async () => {
  const { mapped, drops } = await fleet.machine('closed').daemon.status()
  assert.deepEqual([mapped, drops['gateway-malformed']], [[], undefined])
})

/** Who was asked for ports, by what a machine sent to the ports of the three protocols. */
async function askedBy(name: string): Promise<readonly string[]> {
  const packets = (await captures.get(name)?.packets()) ?? []
  const { address } = fleet.machine(name).host
  const asked = packets.flatMap(({ transport }) =>
    transport?.source.ip === address && [1900, 5350, 5351].includes(transport.destination.port)
      ? [`${transport.protocol} ${transport.destination.ip} ${transport.destination.port}`]
      : [],
  )
  return [...new Set(asked)].sort()
}

test('Nobody is asked but the gateway, and all UPnP devices of the LAN', async () => {
  const gateway = fleet.machine('closed').host.address.replace(/\d+$/, '1')
  assert.deepEqual(
    await askedBy('closed'),
    ['udp 239.255.255.250 1900', `udp ${gateway} 1900`, `udp ${gateway} 5351`].sort(),
  )
})

test('With --no-port-mapping nobody is asked', async () => {
  assert.deepEqual(await askedBy('still'), [])
})

test('When the daemons end, the ports are closed again', async () => {
  await fleet.machine('beside').daemon.stop()
  for (const { name } of CASES) {
    await fleet.machine(name).daemon.stop()
    assert.deepEqual(await placeOf(name).ports.open(), [])
  }
})
