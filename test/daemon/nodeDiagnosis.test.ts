import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Severity } from '../../src/daemon/finding.js'
import { diagnoseNode } from '../../src/daemon/nodeDiagnosis.js'
import type { MeshStatus, NatStatus, Status } from '../../src/daemon/status.js'
import { storageWarnings } from '../../src/daemon/storageWarnings.js'
import { sampleBootstrap, sampleStatus } from '../cli/sampleStatus.js'

const QUIET: Status = { ...sampleStatus, peers: [] }

function about(status: Status, what: string): readonly (readonly [Severity, string])[] {
  return diagnoseNode(status)
    .filter((found) => found.about === what)
    .map(({ severity, says, mend }) => [severity, `${says} → ${mend}`])
}

function withNat(nat: Partial<NatStatus>): Status {
  return { ...QUIET, nat: { ...QUIET.nat, ...nat } }
}

function withMesh(mesh: Partial<MeshStatus>): Status {
  return { ...QUIET, mesh: { ...QUIET.mesh, ...mesh } }
}

describe('what is said of a running node', () => {
  it('repeats each warning of its status, with what mends it', () => {
    const [full = ''] = storageWarnings('/var/lib/x', { failure: undefined }, { failure: 'no space left' })
    assert.deepEqual(about({ ...QUIET, warnings: [full, 'other'] }, 'node'), [
      [
        'warning',
        '/var/lib/x cannot be written (no space left), so nothing new is remembered → free space there, let it be written, or give another --state-dir',
      ],
      ['warning', 'other → see its log'],
    ])
    assert.deepEqual(storageWarnings('/var/lib/x', { failure: undefined }), [])
  })

  it('says what kind of NAT it is behind, and what that means', () => {
    const cases: readonly (readonly [Partial<NatStatus>, Severity, RegExp])[] = [
      [{ mapping: 'unknown' }, 'note', /not known yet/],
      [{ mapping: 'none', filtering: 'none' }, 'ok', /public address/],
      [{ mapping: 'none', filtering: 'address-dependent' }, 'note', /firewall/],
      [{ filtering: 'endpoint-independent', hairpinning: true }, 'ok', /full cone.*keeps ports; it hairpins/],
      [{ filtering: 'address-dependent' }, 'note', /usual \(address-restricted\)/],
      [{ filtering: 'address-and-port-dependent' }, 'note', /usual \(port-restricted\)/],
      [{ filtering: 'unknown' }, 'note', /usual: .*how it filters is not known/],
      [{ mapping: 'address-and-port-dependent' }, 'warning', /symmetric.*forward its UDP/],
      [{ mapping: 'address-dependent' }, 'warning', /symmetric/],
    ]
    for (const [nat, severity, text] of cases) {
      const [found, ...others] = about(withNat(nat), 'nat')
      assert.deepEqual([found?.[0], others], [severity, []], JSON.stringify(nat))
      assert.match(found?.[1] ?? '', text)
    }
  })

  it('says that there is a second NAT, short mappings, no UDP', () => {
    assert.equal(about(withNat({ secondNat: true }), 'second nat')[0]?.[0], 'warning')
    assert.equal(about(withNat({ secondNat: false }), 'second nat').length, 0)
    assert.equal(about(withNat({ lifetimeS: 15 }), 'mappings')[0]?.[0], 'note')
    assert.equal(about(withNat({ lifetimeS: 60 }), 'mappings')[0]?.[0], 'ok')
    assert.match(about(withNat({ udp: false }), 'udp')[0]?.join() ?? '', /^warning.*over TCP, through member/)
    const unrelayed = { ...withMesh({ memberRelays: 0 }), nat: withNat({ udp: false }).nat }
    assert.equal(about(unrelayed, 'udp')[0]?.[0], 'failure')
    assert.equal(about(withNat({ udp: null }), 'udp')[0]?.[0], 'note')
    assert.equal(about(withNat({ udp: true }), 'udp')[0]?.[0], 'ok')
  })

  it('says whether it is in the mesh, and why not', () => {
    const alone = withMesh({ servers: 0, relays: 0, memberRelays: 0 })
    assert.equal(about(QUIET, 'mesh')[0]?.[0], 'ok')
    assert.match(about(alone, 'mesh')[0]?.join() ?? '', /^failure.*connection refused.*TCP/)
    assert.match(about({ ...alone, bootstrap: [] }, 'mesh')[0]?.join() ?? '', /^failure.*--bootstrap/)
    assert.equal(about({ ...alone, reachable: true }, 'mesh')[0]?.[0], 'note')
    assert.equal(about(sampleBootstrap, 'mesh')[0]?.[0], 'note')
  })

  it('says how others reach it', () => {
    assert.equal(about(QUIET, 'circuit relays')[0]?.[0], 'ok')
    assert.equal(about(withMesh({ relays: 0 }), 'circuit relays')[0]?.[0], 'warning')
    assert.equal(about({ ...withMesh({ relays: 0 }), reachable: true }, 'circuit relays')[0]?.[0], 'ok')
  })

  it('says whether a member relay is there to be used, and what an open network lacks', () => {
    const said = (mesh: Partial<MeshStatus>) => about(withMesh(mesh), 'member relays')[0]?.join(': ') ?? ''
    assert.match(said({ memberRelays: 1 }), /^ok: one is there/)
    assert.match(said({ memberRelays: 3 }), /^ok: 3 are there/)
    assert.match(said({ memberRelays: 0, closed: true }), /^warning: none.* → run a reachable node/)
    assert.match(
      said({ memberRelays: 0, closed: false }),
      /^warning: none.*in an open network only peers relay → close .*--network-key/,
    )
    assert.equal(said({ servers: 0, memberRelays: 0 }), '')
  })

  it('names peers that are unreachable', () => {
    assert.ok(about(sampleStatus, 'peer').length > 0)
  })

  it('names what mends it, but for what is as it should be', () => {
    for (const { severity, mend } of diagnoseNode(sampleStatus))
      assert.equal(mend === null, severity === 'ok')
  })

  it('misses nobody without a mesh, and says which names lead nowhere', () => {
    const [peer] = sampleStatus.peers
    assert.ok(peer !== undefined)
    const name = {
      name: 'a.lab:51820',
      addresses: [],
      resolvedAgoS: null,
      againInS: 1,
      failure: 'there is no such name',
    }
    const status = {
      ...withMesh({ enabled: false, servers: 0, relays: 0, memberRelays: 0 }),
      peers: [{ ...peer, name, state: 'unreachable' as const }],
    }
    assert.match(about(status, 'mesh')[0]?.join() ?? '', /^ok,none \(--no-mesh\): 1 of 1 peers/)
    assert.match(about(status, 'name')[0]?.join() ?? '', /^warning.*a\.lab:51820.*no such name/)
    assert.match(about(status, 'peer')[0]?.join() ?? '', /see tunnelbore why/)
    const known = { ...name, addresses: ['192.0.2.1:51820'] }
    const former = { ...status, peers: [{ ...peer, name: known }] }
    assert.equal(about(former, 'name')[0]?.[0], 'note')
    for (const what of ['udp', 'nat', 'circuit relays', 'member relays'])
      assert.deepEqual(about(status, what), [])
  })
})
