import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { canBeRelayed, familiesToRelays, needNoStream } from '../../../simulations/oracle/relayable.js'
import type { Terrain } from '../../../simulations/oracle/terrain.js'
import { APD, nat, site, untouched } from './terrains.js'

const HOME = site({ nat: nat(APD, APD) })

describe('a host reaches relays', () => {
  it('by each family that works where it is', () => {
    const sites = [
      HOME,
      site({ ipv6: 'firewalled' }),
      site({ ipv4: false, ipv6: 'open' }),
      site({ ipv6: 'open', broken: 'ipv4' }),
      site({ udp: false }),
      site({ behind: 0, nat: nat(APD, APD), isolated: true }),
    ]
    const families = sites.map((_site, index) => familiesToRelays(untouched(sites), [index]))
    assert.deepEqual(families, [[4], [4, 6], [6], [6], [], [4]])
  })

  it('only while nothing cuts it off', () => {
    const sites = [HOME, HOME]
    const terrain: Terrain = { ...untouched(sites), isUp: (index) => index === 0 }
    assert.deepEqual(familiesToRelays(terrain, [0]), [4])
    assert.deepEqual(familiesToRelays(terrain, [1]), [])
    assert.deepEqual(familiesToRelays(terrain, []), [])
  })
})

describe('two hosts can be relayed', () => {
  it('where both reach relays, by whatever family', () => {
    const sites = [HOME, site({ ipv4: false, ipv6: 'open' })]
    assert.equal(canBeRelayed(untouched(sites), [0], [1]), true)
    assert.equal(needNoStream(untouched(sites), [0], [1]), true)
    assert.equal(canBeRelayed({ ...untouched(sites), isUp: (index) => index === 0 }, [0], [1]), false)
  })

  it('through a stream, where UDP does not get out', () => {
    const sites = [HOME, site({ udp: false })]
    assert.equal(canBeRelayed(untouched(sites), [0], [1]), true)
    assert.equal(needNoStream(untouched(sites), [0], [1]), false)
  })
})
