import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Severity } from '../../src/daemon/finding.js'
import { diagnoseNode } from '../../src/daemon/nodeDiagnosis.js'
import type { NatStatus, Status } from '../../src/daemon/status.js'
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

describe('what is said of a running node', () => {
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
    assert.equal(about(withNat({ udp: false }), 'udp')[0]?.[0], 'failure')
    assert.equal(about(withNat({ udp: null }), 'udp')[0]?.[0], 'note')
    assert.equal(about(withNat({ udp: true }), 'udp')[0]?.[0], 'ok')
  })

  it('says whether it is in the mesh, and why not', () => {
    const alone = { ...QUIET, mesh: { servers: 0, relays: 0 } }
    assert.equal(about(QUIET, 'mesh')[0]?.[0], 'ok')
    assert.match(about(alone, 'mesh')[0]?.join() ?? '', /^failure.*connection refused.*TCP/)
    assert.match(about({ ...alone, bootstrap: [] }, 'mesh')[0]?.join() ?? '', /^failure.*--bootstrap/)
    assert.equal(about({ ...alone, reachable: true }, 'mesh')[0]?.[0], 'note')
    assert.equal(about(sampleBootstrap, 'mesh')[0]?.[0], 'note')
  })

  it('says how others reach it', () => {
    assert.equal(about(QUIET, 'relay')[0]?.[0], 'ok')
    assert.equal(about({ ...QUIET, mesh: { servers: 1, relays: 0 } }, 'relay')[0]?.[0], 'warning')
    assert.equal(about({ ...QUIET, reachable: true }, 'reachable')[0]?.[0], 'ok')
  })

  it('names peers that are unreachable', () => {
    assert.ok(about(sampleStatus, 'peer').length > 0)
  })

  it('names what mends it, but for what is as it should be', () => {
    for (const { severity, mend } of diagnoseNode(sampleStatus))
      assert.equal(mend === null, severity === 'ok')
  })
})
