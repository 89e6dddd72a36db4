/** A machine on which everything is as it should be. */

import type { MachineFacts } from '../../src/daemon/machineDiagnosis.js'

export const SOUND: MachineFacts = {
  nodeVersion: '20.19.0',
  wgVersion: 'wireguard-tools v1.0',
  hasIp: true,
  hasWireguardGo: false,
  hasWireguardModule: true,
  interfaces: [{ name: 'wg0', mtu: 1_420 }],
  tun: 'missing',
  isRoot: true,
  hasNetAdmin: true,
  noLibc: undefined,
  canMark: true,
  hasLoopbackRange: true,
  port: 51_821,
  unixMs: 1_800_000_000_000,
  isClockSynchronised: true,
  hasIpv4: true,
  hasGlobalIpv6: true,
  uplinkMtu: 1_500,
}
