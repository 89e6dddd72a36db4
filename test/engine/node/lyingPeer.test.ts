/** A peer that lives, and whose record names somebody else's address. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Daemon } from '../../../simulations/hosts/daemon.js'
import type { NatKind } from '../../../simulations/network/natKinds.js'
import { type Dropped, isDropped } from '../../../src/base/drops.js'
import { MINUTE, SECOND } from '../../../src/base/time.js'
import { openSignedRecord } from '../../../src/crypto/signedRecord.js'
import type { PeerRecord } from '../../../src/wire/record.js'
import { RelayNode } from '../relayNode.js'
import { World } from '../world.js'

/** Nobody answers there. */
const VICTIM = '203.0.113.77'

/** How it lies of its proofs as well. */
type Claim = 'keeps its own proof' | 'claims it for the other address' | 'has none'

const HOUR_OF_PINGS = 60 * 60

/** Ordinary checks, and one effort of a few more; an effort with a proof is 2,048. */
const MOST = 100

describe('a peer that lives, and names the address of somebody else', () => {
  for (const [own, peer, claims] of [
    ['port-restricted', 'symmetric', ['claims it for the other address', 'has none']],
    ['symmetric', 'port-restricted', ['keeps its own proof']],
  ] as const) {
    for (const claim of claims) {
      it(`has a few checks sent there in an hour: ${peer}, seen from ${own}; it ${claim}`, (t) => {
        const { world, ana, ben } = pairWithLiar(own, peer, claim)
        const sent: number[] = []
        world.internet.watchers.unshift(({ author, to }) => {
          if (author === 'ana' && to.ip === VICTIM) sent.push(world.queue.elapsed)
          return true
        })
        const begunAt = world.queue.elapsed
        for (let second = 0; second < HOUR_OF_PINGS; second++) {
          ana.host.ping(ben.publicKey)
          ben.host.ping(ana.publicKey)
          world.queue.run(SECOND)
        }
        assert.equal(ana.status(ben.publicKey).state, 'relayed')
        const later = sent.filter((at) => at - begunAt >= 30 * MINUTE).length
        t.diagnostic(`${sent.length} datagrams, ${later} of them after half an hour`)
        assert.ok(sent.length > 0, 'it is not even tried')
        assert.ok(sent.length <= MOST, `${sent.length} datagrams`)
        assert.equal(later, 0, `${later} datagrams after half an hour`)
      })
    }
  }
})

function pairWithLiar(
  own: NatKind,
  peer: NatKind,
  claim: Claim,
): { readonly world: World; readonly ana: Daemon; readonly ben: Daemon } {
  let liar: Daemon | undefined
  const openRecord = (bytes: Uint8Array): PeerRecord | Dropped => {
    const record = openSignedRecord(bytes)
    return isDropped(record) || record.publicKey !== liar?.publicKey ? record : lying(record, claim)
  }
  const world = new World({ seed: 1, uneven: true, openRecord })
  world.mesh.relays = [101, 102].map((number) => new RelayNode(world, number).offer())
  const ana = world.node('ana', world.place(own))
  const ben = world.node('ben', world.place(peer))
  liar = ben
  world.startFleet(ana, ben)
  return { world, ana, ben }
}

function lying(record: PeerRecord, claim: Claim): PeerRecord {
  const { provedAddress, ...said } = record
  const candidates = record.candidates.map((candidate) =>
    candidate.type === 'server-reflexive'
      ? { ...candidate, address: { ...candidate.address, ip: VICTIM } }
      : candidate,
  )
  switch (claim) {
    case 'has none':
      return { ...said, candidates }
    case 'keeps its own proof':
      return { ...record, candidates }
    case 'claims it for the other address':
      return provedAddress === undefined
        ? { ...said, candidates }
        : { ...said, candidates, provedAddress: { ...provedAddress, ip: VICTIM } }
  }
}
