import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  type BirthdaySituation,
  hopelessMeeting,
  planBirthday,
} from '../../../src/engine/path/birthdayPlan.js'
import type { Candidate } from '../../../src/wire/candidate.js'
import type { NatBehaviour, NatFiltering, NatMapping } from '../../../src/wire/record.js'
import { recordOf, testNode } from '../nodes.js'
import { candidate, HOME, OFFICE, remote, route } from './machines.js'

const SYMMETRIC: NatBehaviour = {
  mapping: 'address-and-port-dependent',
  filtering: 'address-and-port-dependent',
}
const RESTRICTED: NatBehaviour = {
  mapping: 'endpoint-independent',
  filtering: 'address-and-port-dependent',
}
const FIREWALL: NatBehaviour = { mapping: 'none', filtering: 'address-and-port-dependent' }
const OWN = { ip: '198.51.100.7', port: 4_000 }

describe('the plan of birthday punching', () => {
  it('of who is behind the hard NAT is to open sockets towards the peer', () => {
    assert.deepEqual(planOf(SYMMETRIC, RESTRICTED), {
      role: 'hard',
      between: { own: OWN.ip, peer: remote(1).ip },
      isMapped: false,
      isProved: true,
      ip: HOME.address.ip,
      target: remote(1),
    })
  })

  it('of the other is to probe the ports of the address that reflectors saw, in their order', () => {
    const seen = [remote(1, 5_000), remote(1, 5_001), remote(2, 1), remote(1, 5_002)]
    assert.deepEqual(planOf(RESTRICTED, SYMMETRIC, seen), {
      role: 'easy',
      between: { own: OWN.ip, peer: remote(1).ip },
      isMapped: false,
      isProved: true,
      socket: HOME.id,
      ip: remote(1).ip,
      seen: [5_000, 5_001, 5_002],
    })
  })

  it('is made against a firewall without a NAT as well', () => {
    const open = [candidate('host', { ip: '192.0.43.8', port: 1 }), candidate('host', OFFICE.address)]
    const peer = recordOf(testNode(2), { candidates: open, nat: FIREWALL })
    const plan = planBirthday({ ...situation(SYMMETRIC, FIREWALL), peer })
    assert.deepEqual(plan?.role === 'hard' && plan.target, { ip: '192.0.43.8', port: 1 })
  })

  it('is none between two hard ones, two easy ones, and where it is not known', () => {
    const unknown: NatBehaviour = { mapping: 'unknown', filtering: 'unknown' }
    const open: NatBehaviour = { mapping: 'none', filtering: 'none' }
    for (const [own, peer] of [
      [SYMMETRIC, SYMMETRIC],
      [RESTRICTED, RESTRICTED],
      [unknown, SYMMETRIC],
      [SYMMETRIC, unknown],
      [SYMMETRIC, open],
      [open, SYMMETRIC],
    ] as const)
      assert.equal(planOf(own, peer), undefined)
  })

  it('knows of ports that gateways have opened, on either side', () => {
    const mapped = [candidate('mapped', remote(1, 7))]
    assert.equal(planOf(RESTRICTED, SYMMETRIC)?.isMapped, false)
    assert.equal(planBirthday({ ...situation(RESTRICTED, SYMMETRIC), mapped })?.isMapped, true)
    const peer = recordOf(testNode(2), {
      candidates: [...mapped, candidate('server-reflexive', remote(1))],
      nat: SYMMETRIC,
    })
    assert.equal(planBirthday({ ...situation(RESTRICTED, SYMMETRIC), peer })?.isMapped, true)
  })

  it('is none behind one gateway, nor where no way leads to the peer but the tunnel', () => {
    assert.equal(planOf(SYMMETRIC, RESTRICTED, [{ ip: OWN.ip, port: 9 }]), undefined)
    const routes = [route('0.0.0.0/0', true)]
    assert.equal(planBirthday({ ...situation(SYMMETRIC, RESTRICTED), routes }), undefined)
  })

  it('gives the two sides different roles, whatever their NATs do', () => {
    const mappings: NatMapping[] = ['unknown', 'none', 'endpoint-independent', 'address-dependent']
    const filterings: NatFiltering[] = ['unknown', 'none', 'address-and-port-dependent']
    const anyNat = fc.record({
      mapping: fc.constantFrom(...mappings, 'address-and-port-dependent' as const),
      filtering: fc.constantFrom(...filterings),
    })
    fc.assert(
      fc.property(anyNat, anyNat, (own, peer) => {
        const [ours, theirs] = [planOf(own, peer)?.role, planOf(peer, own)?.role]
        assert.equal(ours === undefined, theirs === undefined)
        assert.ok(ours === undefined || ours !== theirs)
      }),
    )
  })
})

describe('a hopeless meeting', () => {
  it('is one of two gateways that map by destination, unless one has opened a port, or they are one', () => {
    const hard = situation(SYMMETRIC, SYMMETRIC)
    assert.deepEqual(hopelessMeeting(hard), { own: OWN.ip, peer: remote(1).ip })
    assert.equal(hopelessMeeting({ ...hard, mapped: [candidate('mapped', OWN)] }), undefined)
    assert.equal(hopelessMeeting(situation(SYMMETRIC, RESTRICTED)), undefined)
    assert.equal(hopelessMeeting(situation(SYMMETRIC, SYMMETRIC, [{ ip: OWN.ip, port: 9 }])), undefined)
  })
})

function planOf(own: NatBehaviour, peer: NatBehaviour, seen = [remote(1)]) {
  return planBirthday(situation(own, peer, seen))
}

function situation(own: NatBehaviour, nat: NatBehaviour, seen = [remote(1)]): BirthdaySituation {
  const candidates: readonly Candidate[] = [
    ...seen.map((address) => candidate('server-reflexive', address)),
    candidate('host', OFFICE.address),
  ]
  return {
    own,
    reflexive: [candidate('server-reflexive', OWN)],
    mapped: [],
    sockets: [HOME],
    routes: [],
    peer: recordOf(testNode(2), { candidates, nat }),
    isProved: () => true,
  }
}
