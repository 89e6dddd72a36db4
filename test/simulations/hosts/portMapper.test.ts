import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { perfectLink } from '../../../simulations/network/link.js'
import { NAT_KINDS } from '../../../simulations/network/natKinds.js'
import type { PortMapping } from '../../../simulations/topology.js'
import { World } from '../../../simulations/world.js'
import { MINUTE } from '../../../src/base/time.js'

describe('a gateway', () => {
  const opens: Readonly<Record<PortMapping, readonly [open: number, outerIp: string | undefined]>> = {
    none: [0, undefined],
    pcp: [1, '203.0.113.1'],
    'nat-pmp': [1, '203.0.113.1'],
    upnp: [1, '203.0.113.1'],
    refusing: [0, undefined],
    rubbish: [0, undefined],
    foreign: [0, '192.0.2.77'],
    hollow: [0, '203.0.113.1'],
  }

  for (const [name, [open, outerIp]] of Object.entries(opens)) {
    it(`opens a port as it is wont to: ${name}`, () => {
      const { machine, gateway, told } = home(name as PortMapping)
      assert.equal(gateway.openPortsOf('192.168.0.2'), open)
      assert.equal(told(), outerIp)
      machine.stop()
      assert.equal(gateway.openPortsOf('192.168.0.2'), 0)
    })
  }

  it('is asked again, and has the port open again, after it was restarted', () => {
    const { world, gateway } = home('upnp')
    world.internet.sites[0]?.rebootGateway()
    assert.equal(gateway.openPortsOf('192.168.0.2'), 0)
    world.run(20 * MINUTE)
    assert.equal(gateway.openPortsOf('192.168.0.2'), 1)
  })

  it('keeps a port that was left behind by a daemon that was killed, until its time is over', () => {
    const { world, machine, gateway } = home('pcp')
    machine.crash()
    assert.equal(gateway.openPortsOf('192.168.0.2'), 1)
    world.run(21 * MINUTE)
    assert.equal(gateway.openPortsOf('192.168.0.2'), 0)
  })
})

function home(portMapping: PortMapping) {
  const site = {
    region: 'europe',
    behind: undefined,
    link: perfectLink(10),
    ipv4: true,
    nat: NAT_KINDS.symmetric,
    ipv6: 'none',
    firewall: false,
    udp: true,
    broken: 'none',
    isolated: false,
    portMapping,
  } as const
  let external: string | undefined
  const world = new World(
    {
      sites: [site],
      hosts: [{ sites: [0], clockAheadMs: 0 }],
      servers: [{ region: 'europe', relays: true }],
      pairs: [],
    },
    {
      seed: 1,
      observers: [
        {
          handled: (_host, input) => {
            if (input.type === 'port-mapped' && input.protocol === 'udp') external = input.external.ip
          },
        },
      ],
    },
  )
  world.start()
  world.run(MINUTE)
  const machine = world.machines[0] ?? assert.fail()
  const gateway = world.internet.sites[0]?.gateway ?? assert.fail()
  return { world, machine, gateway, told: () => external }
}
