import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { after } from '../../src/base/time.js'
import { Effort, type KnockResult } from '../../src/engine/directory/effort.js'
import type { CheckedAddress } from '../../src/engine/path/checkLedger.js'
import type { Path } from '../../src/engine/path/path.js'
import { type Evidence, explain, type Verdict } from '../../src/engine/why.js'
import { recordOf, testNode } from './nodes.js'
import { remote } from './path/machines.js'
import { at, nowAt, UNIX_START } from './virtualTime.js'

const NOW_MS = 100_000
const RELAY = '/ip4/203.0.113.9/tcp/1/p2p/relay/p2p-circuit'
const RECORD = recordOf(testNode(2), {
  issuedAt: after(UNIX_START, NOW_MS - 40_000),
  multiaddrs: [RELAY, `${RELAY}`.replace('tcp', 'udp')],
  nat: { mapping: 'address-dependent', filtering: 'unknown' },
})
const PATH: Path = {
  socket: 1,
  remote: remote(1),
  type: 'server-reflexive',
  proof: 'check',
  provedAt: at(NOW_MS - 12_000),
  rttMs: 20,
}
const NOTHING: Evidence = {
  state: 'unreachable',
  path: undefined,
  isSound: false,
  isUnderWay: false,
  lastSentAt: undefined,
  lastHeardAt: undefined,
  holdsFirstMessage: false,
  unansweredFirstMessages: 0,
  isIgnored: false,
  isOnline: true,
  hasMesh: true,
  name: undefined,
  record: undefined,
  ownMapping: 'endpoint-independent',
  effort: new Effort(),
  checks: [],
}
const CHECKED: CheckedAddress = {
  remote: remote(1),
  type: 'server-reflexive',
  sent: 7,
  answered: 0,
  received: 0,
  lastSentAt: at(NOW_MS - 3_000),
  lastHeardAt: undefined,
}
const [WAITING, ANSWERED, CLOSED, FAILED]: readonly KnockResult[] = [
  { type: 'waiting' },
  { type: 'answered' },
  { type: 'closed' },
  { type: 'failed', reason: 'no address to dial' },
] as const

describe('the verdict', () => {
  it('of an external peer is just that', () => {
    assert.deepEqual(verdict({ state: 'external' }), { type: 'external' })
  })

  it('where nobody sent anything is idle', () => {
    assert.deepEqual(verdict({ state: 'idle' }), { type: 'idle' })
  })

  it('where there is a path names it, and since when', () => {
    assert.deepEqual(verdict({ state: 'direct', path: PATH, isSound: true }), {
      type: 'direct',
      remote: '203.0.113.1:51821',
      sinceS: 12,
      proof: 'check',
    })
  })

  it('where the path is relayed says by whom, and why not directly', () => {
    const path: Path = { ...PATH, type: 'relayed' }
    const relayed = { state: 'relayed', path, isSound: true, record: RECORD } as const
    assert.deepEqual(verdict({ ...relayed, ownMapping: 'address-and-port-dependent' }), {
      type: 'relayed',
      relay: '203.0.113.1:51821',
      sinceS: 12,
      because: 'both-symmetric',
    })
    assert.deepEqual(because({ ...relayed }), 'peer-symmetric')
  })

  it('where the path is relayed names the relay in the chain, and the stream to it', () => {
    const path: Path = { ...PATH, type: 'relayed' }
    const named = (through: Path) =>
      explain({ ...NOTHING, state: 'relayed', path: through, isSound: true }, nowAt(NOW_MS)).findings.find(
        ({ type }) => type === 'relay',
      )
    const relay = { type: 'relay', address: '203.0.113.1:51821', sinceS: 12 } as const
    assert.deepEqual(named(path), { ...relay, throughStream: false })
    assert.deepEqual(named({ ...path, throughStream: true }), { ...relay, throughStream: true })
    assert.equal(named(PATH), undefined)
  })

  it('where checks pass and the handshake is unanswered names that', () => {
    const ignored = { state: 'direct', path: PATH, isSound: true, isIgnored: true } as const
    assert.deepEqual(verdict({ ...ignored, unansweredFirstMessages: 3 }), {
      type: 'handshake-unanswered',
      remote: '203.0.113.1:51821',
      firstMessages: 3,
    })
  })

  it('where the path went silent names it', () => {
    assert.deepEqual(verdict({ state: 'direct', path: PATH, isSound: false }), {
      type: 'path-silent',
      remote: '203.0.113.1:51821',
    })
  })

  it('of a first attempt says what is being done, as long as nothing came of it', () => {
    const first = { state: 'resolving', isUnderWay: true, effort: effortOf(1, []) } as const
    assert.deepEqual(verdict(first), { type: 'under-way', doing: 'looking-up' })
    assert.deepEqual(verdict({ ...first, record: RECORD }), { type: 'under-way', doing: 'knocking' })
    assert.deepEqual(verdict({ ...first, record: RECORD, effort: effortOf(1, [ANSWERED]) }), {
      type: 'under-way',
      doing: 'checking',
    })
    assert.equal(verdict({ ...first, record: RECORD, effort: effortOf(1, [CLOSED]) }).type, 'knock-closed')
  })

  it('of later attempts is that of those before', () => {
    const again = { state: 'resolving', isUnderWay: true } as const
    assert.equal(verdict({ ...again, effort: effortOf(2, []) }).type, 'no-record')
  })

  it('of a peer at a name is what became of the name', () => {
    const name = { name: 'a.lab:51820', addresses: [], resolvedAt: undefined, nextAt: undefined }
    const again = { hasMesh: false, isOnline: false, effort: effortOf(2, []) } as const
    assert.deepEqual(verdict({ ...again, name: { ...name, failure: 'gone' } }), {
      type: 'name-unresolved',
      name: 'a.lab:51820',
      reason: 'gone',
    })
    assert.deepEqual(verdict({ ...again, name: { ...name, failure: undefined } }), {
      type: 'under-way',
      doing: 'resolving',
    })
    const known = { ...name, addresses: [{ ip: '192.0.2.1', port: 51_820 }], failure: 'gone' }
    const unanswered = { type: 'name-unanswered', name: 'a.lab:51820', addresses: 1 } as const
    assert.deepEqual(verdict({ ...again, name: known }), unanswered)
    assert.deepEqual(verdict({ ...again, name: known, record: RECORD }), unanswered)
    assert.deepEqual(verdict({ ...again, hasMesh: true, name: known }), unanswered)
    const { findings } = explain({ ...NOTHING, ...again, name: known }, nowAt(NOW_MS))
    assert.deepEqual(
      findings.filter(({ type }) => type === 'name' || type === 'mesh'),
      [
        { type: 'mesh', online: false, off: true },
        {
          type: 'name',
          name: 'a.lab:51820',
          addresses: ['192.0.2.1:51820'],
          resolvedS: null,
          againInS: null,
          failure: 'gone',
        },
      ],
    )
  })

  it('without a mesh is that, where nothing else is known', () => {
    assert.deepEqual(verdict({ hasMesh: false, isOnline: false, effort: effortOf(2, []) }), {
      type: 'no-mesh',
      addresses: 0,
    })
  })

  it('where no node of the mesh is connected is that', () => {
    assert.deepEqual(verdict({ isOnline: false, effort: effortOf(2, []) }), { type: 'offline' })
    assert.deepEqual(verdict({ isOnline: false, record: RECORD, effort: effortOf(2, []) }), {
      type: 'offline',
    })
  })

  it('where no record was found is that', () => {
    assert.deepEqual(verdict({ effort: effortOf(1, []) }), { type: 'no-record' })
  })

  it('where no knock arrived says over how many relays, why, and how many addresses were checked', () => {
    const { effort } = { effort: effortOf(2, [FAILED, WAITING]) }
    assert.deepEqual(verdict({ record: RECORD, effort, checks: [CHECKED] }), {
      type: 'knock-not-arrived',
      relays: 1,
      reason: 'no address to dial',
      addresses: 1,
    })
  })

  it('where its node took the knock and did not answer is that', () => {
    assert.deepEqual(verdict({ record: RECORD, effort: effortOf(3, [FAILED, CLOSED]), checks: [CHECKED] }), {
      type: 'knock-closed',
    })
  })

  it('where the two are in touch and nothing can be checked is that', () => {
    assert.deepEqual(verdict({ record: RECORD, effort: effortOf(2, [ANSWERED]) }), {
      type: 'nothing-to-check',
    })
  })

  it('where the two are in touch and no check is answered counts them, and says why', () => {
    const inTouch = { record: RECORD, effort: effortOf(2, [ANSWERED]), checks: [CHECKED] }
    assert.deepEqual(verdict({ ...inTouch, ownMapping: 'address-dependent' }), {
      type: 'checks-unanswered',
      addresses: 1,
      because: 'both-symmetric',
    })
    const plain = recordOf(testNode(2))
    assert.equal(because({ ...inTouch, record: plain }), 'unknown')
    assert.equal(because({ ...inTouch, record: plain, ownMapping: 'address-dependent' }), 'own-symmetric')
    assert.equal(because(inTouch), 'peer-symmetric')
    assert.equal(because({ ...inTouch, checks: [{ ...CHECKED, received: 2 }] }), 'one-way')
  })

  it('of a peer that knocked is that of one with whom we are in touch', () => {
    const effort = effortOf(2, [])
    effort.heardKnock(at(NOW_MS))
    assert.equal(verdict({ record: RECORD, effort, checks: [CHECKED] }).type, 'checks-unanswered')
  })

  it('goes by what came last: a knock that fails after one that was answered', () => {
    const effort = effortOf(2, [ANSWERED, FAILED])
    assert.equal(verdict({ record: RECORD, effort, checks: [CHECKED] }).type, 'knock-not-arrived')
  })
})

describe('the findings', () => {
  it('are a chain from the traffic to the handshakes', () => {
    const effort = effortOf(2, [FAILED])
    effort.heardKnock(at(NOW_MS - 5_000))
    const { findings, effort: told } = explain(
      { ...NOTHING, record: RECORD, effort, checks: [CHECKED], unansweredFirstMessages: 1 },
      nowAt(NOW_MS),
    )
    assert.deepEqual(told, { sinceS: 100, attempts: 2, underWay: false })
    assert.deepEqual(
      findings.map(({ type }) => type),
      ['traffic', 'mesh', 'record', 'look-ups', 'knock', 'knocked-by-peer', 'nat', 'checks', 'handshakes'],
    )
    assert.deepEqual(findings[2], { type: 'record', ageS: 40, addresses: 1, relays: 1 })
    assert.deepEqual(findings[7], {
      type: 'checks',
      address: '203.0.113.1:51821',
      candidate: 'server-reflexive',
      sent: 7,
      answered: 0,
      received: 0,
      lastSentS: 3,
      lastHeardS: null,
    })
  })

  it('pass through JSON unaltered', () => {
    const explanation = explain({ ...NOTHING, record: RECORD, checks: [CHECKED] }, nowAt(NOW_MS))
    assert.deepEqual(JSON.parse(JSON.stringify(explanation)), explanation)
  })
})

function verdict(evidence: Partial<Evidence>): Verdict {
  return explain({ ...NOTHING, ...evidence }, nowAt(NOW_MS)).verdict
}

function because(evidence: Partial<Evidence>): string | undefined {
  const told = verdict(evidence)
  return 'because' in told ? told.because : undefined
}

/** An effort of so many attempts, with a look-up that ended in each but the first, and knocks with these results. */
function effortOf(attempts: number, results: readonly (KnockResult | undefined)[]): Effort {
  const effort = new Effort()
  for (let attempt = 0; attempt < attempts; attempt++) {
    effort.begin(at(0))
    effort.lookUpBegun()
    if (attempt > 0) effort.lookUpEnded()
  }
  for (const [index, result] of results.entries()) {
    effort.knockSent('stream', at(1_000 * (index + 1)))
    if (result?.type === 'answered') effort.knockAnswered()
    if (result?.type === 'closed') effort.knockFailed('closed', true)
    if (result?.type === 'failed') effort.knockFailed(result.reason, false)
  }
  return effort
}
