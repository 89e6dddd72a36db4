import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import { HOUR, SECOND } from '../../../src/base/time.js'
import type { RelayOffer } from '../../../src/engine/inputs.js'
import { type Credential, RelayOffers } from '../../../src/engine/relay/offers.js'
import { HOME } from '../path/machines.js'
import { at } from '../virtualTime.js'

const CREDENTIAL: Credential = { type: 'network', hmac: (data) => data }
const NEAR = offer(1)
const FAR = offer(2)
const UNKNOWN = offer(3)
const ROUND_TRIPS = new Map([
  ['203.0.113.1', 10],
  ['203.0.113.2', 100],
])

let offers: RelayOffers

beforeEach(() => {
  offers = relayOffers(() => CREDENTIAL)
  offers.set([UNKNOWN, FAR, NEAR])
})

describe('the relays that the mesh offers', () => {
  it('are asked in the order of the round trips to their reflectors', () => {
    assert.deepEqual(choose(3), [NEAR, FAR, UNKNOWN])
    assert.deepEqual(choose(2), [NEAR, FAR])
  })

  it('are asked where we know how to show that we may', () => {
    offers = relayOffers((asked) => (asked === FAR ? CREDENTIAL : undefined))
    offers.set([UNKNOWN, FAR, NEAR])
    assert.deepEqual(choose(3), [FAR])
  })

  it('are asked last where they were silent, for a while', () => {
    offers.failed(NEAR, false, at(0))
    assert.deepEqual(choose(3), [FAR, UNKNOWN, NEAR])
    assert.deepEqual(choose(3, 10 * SECOND), [NEAR, FAR, UNKNOWN])
    offers.failed(NEAR, false, at(10 * SECOND))
    assert.deepEqual(choose(1, 29 * SECOND), [FAR])
    offers.succeeded(NEAR, { socket: HOME.id, remote: NEAR.addresses[0] ?? assert.fail() })
    assert.deepEqual(choose(1, 29 * SECOND), [NEAR])
  })

  it('are not asked where they refused, for a while', () => {
    offers.failed(NEAR, true, at(0))
    assert.deepEqual(choose(3), [FAR, UNKNOWN])
    assert.deepEqual(choose(3, 10 * SECOND), [NEAR, FAR, UNKNOWN])
  })

  it('are not asked at an address of no family of ours', () => {
    const six = { ...NEAR, addresses: [{ ip: '2001:db8:1::1', port: 51_821 }] }
    offers.set([six])
    assert.deepEqual(choose(1), [])
  })

  describe('at addresses that only they themselves name', () => {
    const victim = { ip: '198.51.100.7', port: 53 }
    const liar = { ...FAR, addresses: [...FAR.addresses, victim], claimed: [victim] }
    const alone = { ...UNKNOWN, addresses: [victim], claimed: [victim] }
    const remotes = (relay: RelayOffer) => offers.routesTo(relay).map(({ remote }) => remote)

    it('are asked there last, once, and not again for an hour, whoever names it', () => {
      offers.set([liar, alone])
      assert.deepEqual(remotes(liar), [...FAR.addresses, victim])
      offers.asked(offers.routesTo(liar), at(0))
      assert.deepEqual(remotes(liar), FAR.addresses)
      assert.deepEqual(remotes(alone), [])
      choose(2, HOUR - 1)
      assert.deepEqual(remotes(alone), [])
      choose(2, HOUR)
      assert.deepEqual(remotes(alone), [victim])
    })

    it('are asked there as elsewhere once they have answered from there; others that name it are not', () => {
      offers.set([liar, alone])
      offers.asked(offers.routesTo(liar), at(0))
      offers.succeeded(liar, { socket: HOME.id, remote: victim })
      assert.deepEqual(remotes(liar), [...FAR.addresses, victim])
      assert.ok(offers.routesTo(liar).every(({ isClaimed }) => isClaimed !== true))
      assert.deepEqual(remotes(alone), [])
    })

    it('do not pass for near, nor keep others from being asked', () => {
      const thief = {
        ...UNKNOWN,
        addresses: [...UNKNOWN.addresses, ...NEAR.addresses],
        claimed: NEAR.addresses,
        load: 0,
      }
      offers.set([thief, FAR, NEAR])
      assert.deepEqual(choose(3), [NEAR, FAR, thief])
      offers.set([thief, { ...NEAR, load: 255 }])
      assert.equal(choose(2).length, 2)
    })

    it('are asked at so many in an hour at most', () => {
      for (let number = 0; number < 5_000; number++)
        offers.asked(
          [
            {
              socket: HOME.id,
              remote: { ip: `198.18.${number >> 8}.${number & 255}`, port: 1 },
              isClaimed: true,
            },
          ],
          at(0),
        )
      assert.deepEqual(remotes(alone), [])
    })
  })

  it('are counted where we may ask them, and have a way to them', () => {
    assert.equal(offers.usable, 3)
    offers.set([NEAR, { ...FAR, addresses: [{ ip: '2001:db8:1::1', port: 51_821 }] }])
    assert.equal(offers.usable, 1)
    offers = relayOffers(() => undefined)
    offers.set([NEAR])
    assert.equal(offers.usable, 0)
  })
})

function relayOffers(credentialFor: (offer: RelayOffer) => Credential | undefined): RelayOffers {
  const machine = { sockets: [HOME], routes: [] }
  return new RelayOffers({
    credentialFor,
    isSilent: () => false,
    isSilentOver: () => false,
    rttTo: (ip) => ROUND_TRIPS.get(ip),
    machine: () => machine,
  })
}

function choose(count: number, ms = 0): readonly RelayOffer[] {
  const wanted = { count, taken: [], peer: undefined, isAvoided: () => false }
  return offers.choose(wanted, at(ms)).map((chosen) => chosen.offer)
}

function offer(number: number): RelayOffer {
  const addresses = [{ ip: `203.0.113.${number}`, port: 51_821 }]
  return { identity: new Uint8Array(32).fill(number), publicKey: new Uint8Array(32), addresses, load: 0 }
}
