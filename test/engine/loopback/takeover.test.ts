import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import fc from 'fast-check'
import type { SocketAddress } from '../../../src/base/address.js'
import type { PublicKey } from '../../../src/base/publicKey.js'
import { after, SECOND, type UnixTime } from '../../../src/base/time.js'
import type { InterfacePeer } from '../../../src/engine/inputs.js'
import { LoopbackEndpoints } from '../../../src/engine/loopback/endpoints.js'
import { Takeover } from '../../../src/engine/loopback/takeover.js'
import { EffectLog } from '../effectLog.js'
import { keyBeginningWith } from '../nodes.js'
import { UNIX_START } from '../virtualTime.js'

const PEER = keyBeginningWith([0, 0, 0, 0])
const OTHER = keyBeginningWith([0, 0, 0, 9])
const OWN: SocketAddress = { ip: '127.1.0.1', port: 51_822 }
const FIXED: SocketAddress = { ip: '203.0.113.1', port: 51_820 }
const ROAMED: SocketAddress = { ip: '203.0.113.2', port: 51_820 }
const TAKEN = [{ type: 'set-endpoint', peer: PEER, endpoint: OWN }]

let log: EffectLog
let endpoints: LoopbackEndpoints
let takeover: Takeover

beforeEach(() => {
  log = new EffectLog()
  takeover = start(new Map())
})

describe('a peer without an endpoint', () => {
  it('gets its loopback endpoint, and had none before', () => {
    read(undefined)
    assert.deepEqual(log.take(), TAKEN)
    assert.equal(takeover.isExternal(PEER), false)
    assert.equal(takeover.former(PEER), undefined)
    assert.deepEqual([...takeover.toRestore], [[PEER, undefined]])
  })

  it('is left alone once it has it', () => {
    read(OWN)
    assert.deepEqual(log.take(), [])
  })

  it('gets back what an earlier run noted down', () => {
    takeover = start(new Map([[PEER, FIXED]]))
    read(OWN)
    assert.equal(takeover.former(PEER), FIXED)
    assert.deepEqual([...takeover.toRestore], [[PEER, FIXED]])
  })
})

describe('an endpoint of ours, from a run that could not clean up', () => {
  it('is never taken for a former one', () => {
    const leftOvers = fc.record({
      ip: fc.ipV4().map((ip) => ip.replace(/^\d+/, '127')),
      port: fc.constant(51_822),
    })
    fc.assert(
      fc.property(leftOvers, handshakes(), (endpoint, latestHandshake) => {
        log = new EffectLog()
        takeover = start(new Map())
        read(endpoint, latestHandshake)
        assert.equal(takeover.former(PEER), undefined)
        assert.equal(takeover.isExternal(PEER), false)
        assert.deepEqual(log.take(), endpoint.ip === OWN.ip ? [] : TAKEN)
      }),
    )
  })
})

describe('a peer with an endpoint of its own', () => {
  it('is taken over where it has no session', () => {
    read(FIXED)
    assert.deepEqual(log.take(), TAKEN)
    assert.equal(takeover.isExternal(PEER), false)
    assert.equal(takeover.former(PEER), FIXED)
    read(OWN)
    assert.deepEqual([...takeover.toRestore], [[PEER, FIXED]])
    assert.deepEqual(log.take(), [])
  })

  it("is external while it has a session: it speaks to WireGuard's own port", () => {
    read(FIXED, after(UNIX_START, -179 * SECOND))
    assert.deepEqual(log.take(), [])
    assert.equal(takeover.isExternal(PEER), true)
    assert.deepEqual([...takeover.toRestore], [])
  })

  it('is taken over when its session has died', () => {
    read(FIXED, after(UNIX_START, -100 * SECOND))
    assert.equal(takeover.isExternal(PEER), true)
    takeover.read(
      { ...interfacePeer(FIXED), latestHandshake: after(UNIX_START, -100 * SECOND) },
      false,
      after(UNIX_START, 80 * SECOND),
    )
    assert.equal(takeover.isExternal(PEER), false)
    assert.deepEqual(log.take(), TAKEN)
  })

  it('is external from when it speaks to WireGuard itself, and that is where it is looked for then', () => {
    read(undefined)
    read(OWN)
    log.take()
    read(ROAMED, UNIX_START)
    assert.equal(takeover.isExternal(PEER), true)
    assert.equal(takeover.former(PEER), ROAMED)
    assert.deepEqual(log.take(), [])
  })

  it('is not left to a live session where our checks reach it: it runs Tunnelbore', () => {
    read(OWN)
    read(ROAMED, UNIX_START, true)
    assert.equal(takeover.isExternal(PEER), false)
    assert.equal(takeover.former(PEER), ROAMED)
    assert.deepEqual(log.take(), TAKEN)
    assert.deepEqual([...takeover.toRestore], [[PEER, ROAMED]])
  })

  it('is taken back from its live session once our checks reach it', () => {
    read(FIXED, UNIX_START)
    assert.equal(takeover.isExternal(PEER), true)
    read(FIXED, UNIX_START, true)
    assert.equal(takeover.isExternal(PEER), false)
    assert.deepEqual(log.take(), TAKEN)
    assert.equal(takeover.reclaim(PEER), false)
  })

  it('is managed again when WireGuard sends to its loopback endpoint', () => {
    read(FIXED, UNIX_START)
    read(OWN, UNIX_START)
    assert.equal(takeover.isExternal(PEER), false)
    assert.equal(takeover.former(PEER), FIXED)
  })

  it('is reclaimed, once, when it says that it runs Tunnelbore', () => {
    read(FIXED, UNIX_START)
    assert.equal(takeover.reclaim(PEER), true)
    assert.deepEqual(log.take(), TAKEN)
    assert.equal(takeover.isExternal(PEER), false)
    assert.equal(takeover.reclaim(PEER), false)
    assert.deepEqual(log.take(), [])
    assert.deepEqual([...takeover.toRestore], [[PEER, FIXED]])
  })
})

describe('a peer with a link-local endpoint', () => {
  it('is external while it has a session, and never taken', () => {
    readLinkLocal(after(UNIX_START, -179 * SECOND))
    assert.equal(takeover.isExternal(PEER), true)
    assert.deepEqual(log.take(), [])
    assert.deepEqual([...takeover.toRestore], [])
    takeover.moved(PEER)
    assert.deepEqual(log.take(), [])
  })

  it('is taken over where its session is dead, or there was none', () => {
    for (const latestHandshake of [undefined, after(UNIX_START, -180 * SECOND)]) {
      takeover = start(new Map())
      readLinkLocal(latestHandshake)
      assert.equal(takeover.isExternal(PEER), false)
      assert.deepEqual(log.take(), TAKEN)
    }
  })

  it('is taken over where our checks reach it, and reclaimed as any other', () => {
    readLinkLocal(UNIX_START, true)
    assert.equal(takeover.isExternal(PEER), false)
    assert.deepEqual(log.take(), TAKEN)
    takeover = start(new Map())
    readLinkLocal(UNIX_START)
    assert.equal(takeover.reclaim(PEER), true)
    assert.deepEqual(log.take(), TAKEN)
  })

  it('keeps its former endpoint: a link-local one says nothing elsewhere', () => {
    read(FIXED)
    readLinkLocal(UNIX_START)
    assert.equal(takeover.former(PEER), FIXED)
    readLinkLocal(undefined)
    assert.deepEqual([...takeover.toRestore], [[PEER, FIXED]])
  })
})

describe('reclaiming', () => {
  it('does nothing to a peer that is managed, or not there', () => {
    read(undefined)
    log.take()
    assert.equal(takeover.reclaim(PEER), false)
    assert.equal(takeover.reclaim(OTHER), false)
    assert.deepEqual(log.take(), [])
  })
})

describe('a peer that is gone', () => {
  it('has nothing to be put back', () => {
    read(FIXED)
    takeover.forget(PEER)
    assert.equal(takeover.former(PEER), undefined)
    assert.deepEqual([...takeover.toRestore], [])
  })

  it('and comes again is a new one: what an earlier run noted down of it is forgotten as well', () => {
    takeover = start(new Map([[PEER, FIXED]]))
    read(OWN)
    assert.equal(takeover.former(PEER), FIXED)
    takeover.forget(PEER)
    read(OWN)
    assert.equal(takeover.former(PEER), undefined)
    assert.deepEqual([...takeover.toRestore], [[PEER, undefined]])
  })

  it('leaves the notes of an earlier run as they were', () => {
    const remembered = new Map([[PEER, FIXED]])
    takeover = start(remembered)
    takeover.forget(PEER)
    assert.equal(remembered.get(PEER), FIXED)
  })
})

describe('a peer whose loopback endpoint is another one now', () => {
  it('is told to WireGuard', () => {
    read(undefined)
    log.take()
    const endpoint = endpoints.reassign(PEER)
    assert.ok(endpoint)
    assert.notDeepEqual(endpoint, OWN)
    takeover.moved(PEER)
    assert.deepEqual(log.take(), [{ type: 'set-endpoint', peer: PEER, endpoint }])
    read(endpoint)
    assert.deepEqual(log.take(), [])
  })

  it('is left alone where it is external, or not there', () => {
    read(FIXED, UNIX_START)
    endpoints.reassign(PEER)
    takeover.moved(PEER)
    takeover.moved(OTHER)
    assert.deepEqual(log.take(), [])
    assert.equal(takeover.isExternal(PEER), true)
  })
})

describe('a peer for whom no loopback endpoint is left', () => {
  it('keeps the one that it has', () => {
    endpoints = new LoopbackEndpoints({ style: 'ports', port: 65_535 })
    takeover = new Takeover(endpoints, new Map(), log.emit)
    read(FIXED)
    takeover.moved(PEER)
    assert.deepEqual(log.take(), [])
  })
})

describe('a peer', () => {
  it('is either external or put back, whatever is read; and what is put back is never ours', () => {
    const present = fc.option(
      fc.constantFrom(OWN, FIXED, ROAMED, { ip: '127.5.5.5', port: 51_822 }, { ip: '127.0.0.1', port: 7 }),
      { nil: undefined },
    )
    const reads = fc.array(fc.tuple(present, handshakes(), fc.boolean(), fc.boolean()), { minLength: 1 })
    fc.assert(
      fc.property(reads, (taken) => {
        log = new EffectLog()
        takeover = start(new Map())
        for (const [endpoint, latestHandshake, reached, reclaims] of taken) {
          read(endpoint, latestHandshake, reached)
          assert.ok(!(reached && takeover.isExternal(PEER)))
          if (reclaims) takeover.reclaim(PEER)
          assert.notEqual(takeover.isExternal(PEER), takeover.toRestore.has(PEER))
          const former = takeover.former(PEER)
          assert.ok(former === undefined || former.port !== 51_822)
          for (const effect of log.take()) {
            assert.deepEqual([effect], TAKEN)
            assert.equal(takeover.isExternal(PEER), false)
          }
        }
      }),
    )
  })
})

function start(remembered: ReadonlyMap<PublicKey, SocketAddress | undefined>): Takeover {
  endpoints = new LoopbackEndpoints({ style: 'range', port: 51_822 })
  return new Takeover(endpoints, remembered, log.emit)
}

function read(endpoint: SocketAddress | undefined, latestHandshake?: UnixTime, reached = false): void {
  takeover.read({ ...interfacePeer(endpoint), latestHandshake }, reached, UNIX_START)
}

function readLinkLocal(latestHandshake: UnixTime | undefined, reached = false): void {
  takeover.read({ ...interfacePeer(undefined), isLinkLocal: true, latestHandshake }, reached, UNIX_START)
}

function interfacePeer(endpoint: SocketAddress | undefined): InterfacePeer {
  return { publicKey: PEER, endpoint, isLinkLocal: false, latestHandshake: undefined }
}

function handshakes(): fc.Arbitrary<UnixTime | undefined> {
  return fc.option(
    fc.integer({ min: 0, max: 400 }).map((seconds) => after(UNIX_START, -seconds * SECOND)),
    { nil: undefined },
  )
}
