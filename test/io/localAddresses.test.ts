import assert from 'node:assert/strict'
import type { NetworkInterfaceInfo } from 'node:os'
import { describe, it } from 'node:test'
import { localAddresses, ownAddresses, selectAddresses } from '../../src/io/localAddresses.js'

describe('local addresses', () => {
  it('are those of both families that a peer could reach, with their devices', () => {
    const devices = {
      lo: [entry('127.0.0.1', true), entry('::1', true)],
      eth0: [entry('192.168.1.2'), entry('2001:db8::2'), entry('fe80::1'), entry('fd00::2')],
      'eth0:1': [entry('203.0.113.7')],
      wlan0: [entry('169.254.3.4')],
      wg0: [entry('10.9.0.1'), entry('fd09::1')],
      docker0: [entry('172.17.0.1')],
      gone: undefined,
    }
    assert.deepEqual(selectAddresses(devices, new Set(['wg0', 'docker0'])), [
      { ip: '192.168.1.2', device: 'eth0' },
      { ip: '2001:db8::2', device: 'eth0' },
      { ip: 'fd00::2', device: 'eth0' },
      { ip: '203.0.113.7', device: 'eth0' },
    ])
    assert.deepEqual(selectAddresses(devices, new Set(['eth0', 'wg0', 'docker0'])), [])
  })

  it('of this machine hold neither loopback nor link-local ones', () => {
    for (const { ip } of localAddresses(new Set())) assert.doesNotMatch(ip, /^(127\.|169\.254\.|::1$|fe80:)/)
  })

  it('that the machine has are all of those, those of loopback in any spelling, and no others', () => {
    const isOwn = ownAddresses()
    const ips = localAddresses(new Set()).map(({ ip }) => ip)
    for (const ip of [...ips, '127.0.0.1', '127.3.2.1', '::1', '::ffff:127.0.0.1', '::1%lo'])
      assert.ok(isOwn(ip), ip)
    for (const ip of ['192.0.2.77', '2001:db8::77', 'fe80::77%eth0', 'nonsense', ''])
      assert.ok(!isOwn(ip), ip)
  })
})

function entry(address: string, internal = false): NetworkInterfaceInfo {
  const rest = { address, internal, netmask: '', mac: '00:00:00:00:00:00', cidr: null }
  return address.includes(':') ? { ...rest, family: 'IPv6', scopeid: 0 } : { ...rest, family: 'IPv4' }
}
