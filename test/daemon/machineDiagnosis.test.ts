import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Severity } from '../../src/daemon/finding.js'
import { diagnoseMachine, type MachineFacts } from '../../src/daemon/machineDiagnosis.js'
import { machineFacts } from '../../src/daemon/machineFacts.js'
import { SOUND } from './soundMachine.js'

describe('what is said of a machine', () => {
  it('is good where all is as it should be', () => {
    const severities = new Set(diagnoseMachine(SOUND).map(({ severity }) => severity))
    assert.deepEqual(severities, new Set(['ok']))
  })

  const cases: readonly (readonly [Partial<MachineFacts>, Severity, string, RegExp])[] = [
    [{ nodeVersion: '20.18.3' }, 'failure', 'node', /20\.18\.3 is too old.*install Node 20\.19/],
    [{ nodeVersion: '18.20.0' }, 'failure', 'node', /too old/],
    [{ wgVersion: undefined }, 'failure', 'wg', /install wireguard-tools/],
    [{ hasIp: false }, 'failure', 'ip', /install iproute2/],
    [{ interfaces: 'no permission to list' }, 'failure', 'wireguard', /no permission to list.*root/],
    [{ interfaces: [] }, 'warning', 'wireguard', /wg-quick up wg0/],
    [{ interfaces: [], hasWireguardModule: false }, 'failure', 'wireguard', /install wireguard-go/],
    [{ interfaces: [], hasWireguardModule: false, hasWireguardGo: true }, 'failure', 'tun', /modprobe tun/],
    [
      { interfaces: [], hasWireguardModule: false, hasWireguardGo: true, tun: 'denied' },
      'failure',
      'tun',
      /as root/,
    ],
    [{ isRoot: false, hasNetAdmin: false }, 'failure', 'permissions', /this user lacks CAP_NET_ADMIN/],
    [{ noLibc: 'no koffi', canMark: false }, 'warning', 'marks', /no koffi.*reinstall/],
    [{ canMark: false }, 'warning', 'marks', /0\.0\.0\.0\/0 they would enter the tunnel/],
    [{ hasLoopbackRange: false }, 'note', 'loopback', /only 127\.0\.0\.1/],
    [{ port: 'no free port' }, 'failure', 'ports', /no free port.*--listen-port/],
    [{ unixMs: 0 }, 'failure', 'clock', /1970-01-01.*NTP/],
    [{ isClockSynchronised: false }, 'note', 'clock', /2 hours off/],
    [{ hasGlobalIpv6: false }, 'note', 'ipv6', /no global IPv6/],
    [{ hasIpv4: false, hasGlobalIpv6: false }, 'failure', 'network', /connect it/],
    [{ uplinkMtu: 1_492 }, 'warning', 'mtu', /wg0 has an MTU of 1420.*ip link set mtu 1412 dev wg0/],
  ]
  for (const [facts, severity, about, text] of cases)
    it(`is a ${severity} about ${about}: ${JSON.stringify(facts)}`, () => {
      const found = diagnoseMachine({ ...SOUND, ...facts }).filter((one) => one.severity !== 'ok')
      const match = found.find((one) => one.about === about)
      assert.equal(match?.severity, severity)
      assert.match(`${match?.says} ${match?.mend}`, text)
    })

  it('names what mends it, always, but for what is as it should be', () => {
    const anyFacts = fc.record({
      hasIp: fc.boolean(),
      hasWireguardGo: fc.boolean(),
      hasWireguardModule: fc.boolean(),
      interfaces: fc.constantFrom<MachineFacts['interfaces']>([], 'no', [{ name: 'wg0', mtu: undefined }]),
      tun: fc.constantFrom('usable' as const, 'missing' as const, 'denied' as const),
      hasNetAdmin: fc.boolean(),
      canMark: fc.boolean(),
      port: fc.constantFrom(1, 'none'),
      hasIpv4: fc.boolean(),
      hasGlobalIpv6: fc.boolean(),
      uplinkMtu: fc.constantFrom(undefined, 1_280, 1_500),
    })
    fc.assert(
      fc.property(anyFacts, (facts) => {
        for (const { severity, says, mend } of diagnoseMachine({ ...SOUND, ...facts })) {
          assert.equal(mend === null, severity === 'ok')
          assert.ok(!`${says}${mend}`.includes('\n'))
        }
      }),
    )
  })
})

describe('this machine', () => {
  it('is looked at without a failure of ours', async () => {
    const facts = await machineFacts()
    assert.equal(facts.nodeVersion, process.versions.node)
    assert.equal(facts.isRoot, process.geteuid?.() === 0)
    assert.ok(diagnoseMachine(facts).length >= 10)
  })
})
