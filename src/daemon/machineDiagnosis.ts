/** What `tunnelbore doctor` says of the machine, and what mends it. */

import { type Finding, finding, ok } from './finding.js'

/** How it stands with a program or a device. */
export type Presence = 'usable' | 'missing' | 'denied'

export interface MachineFacts {
  /** As `process.versions.node` has it. */
  readonly nodeVersion: string
  /** What `wg --version` printed; undefined where there is no `wg`. */
  readonly wgVersion: string | undefined
  readonly hasIp: boolean
  readonly hasWireguardGo: boolean
  /** Whether the running kernel has WireGuard, loaded or as a module. */
  readonly hasWireguardModule: boolean
  /** The WireGuard interfaces and their MTUs; or why they cannot be listed. */
  readonly interfaces: readonly { readonly name: string; readonly mtu: number | undefined }[] | string
  readonly tun: Presence
  readonly isRoot: boolean
  readonly hasNetAdmin: boolean
  /** Why libc cannot be called; undefined where it can. */
  readonly noLibc: string | undefined
  /** Whether SO_MARK can be set. */
  readonly canMark: boolean
  /** Whether all of 127.0.0.0/8 can be used. */
  readonly hasLoopbackRange: boolean
  /** A listen port that is free; or why there is none. */
  readonly port: number | string
  /** Milliseconds since 1970. */
  readonly unixMs: number
  /** Whether the clock is kept right; undefined where the system does not say. */
  readonly isClockSynchronised: boolean | undefined
  /** Families of which the machine has an address that others may reach it at. */
  readonly hasIpv4: boolean
  readonly hasGlobalIpv6: boolean
  /** Of the device of the default route, where there is one. */
  readonly uplinkMtu: number | undefined
}

/** The first that has all that is used of it. */
const OLDEST_NODE: readonly number[] = [20, 19]

/** 2025-01-01: before this there was no Tunnelbore. */
const EARLIEST_CLOCK_MS = 1_735_689_600_000

/** What WireGuard adds to a packet: 20 or 40 of IP, 8 of UDP, 32 of its own. wg-quick reckons with IPv6. */
const WIREGUARD_OVERHEAD = 80

export function diagnoseMachine(facts: MachineFacts): readonly Finding[] {
  return [
    nodeVersion(facts),
    wgTool(facts),
    facts.hasIp
      ? ok('ip', 'the tool ip is there')
      : finding('failure', 'ip', 'the tool ip was not found', 'install iproute2'),
    ...wireguard(facts),
    ...permissions(facts),
    loopbackRange(facts),
    port(facts),
    clock(facts),
    ...families(facts),
    ...mtu(facts),
  ]
}

function nodeVersion({ nodeVersion: version }: MachineFacts): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [oldestMajor = 0, oldestMinor = 0] = OLDEST_NODE
  const isNewEnough = major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)
  if (isNewEnough) return ok('node', `Node ${version}`)
  return finding(
    'failure',
    'node',
    `Node ${version} is too old`,
    `install Node ${OLDEST_NODE.join('.')} or later`,
  )
}

function wgTool({ wgVersion }: MachineFacts): Finding {
  if (wgVersion === undefined)
    return finding('failure', 'wg', 'the tool wg was not found', 'install wireguard-tools')
  return ok('wg', wgVersion)
}

function wireguard(facts: MachineFacts): readonly Finding[] {
  const { interfaces, hasWireguardModule, hasWireguardGo, tun } = facts
  const about = 'wireguard'
  if (typeof interfaces === 'string')
    return [finding('failure', about, interfaces, 'run as root or with CAP_NET_ADMIN')]
  if (interfaces.length > 0)
    return [ok(about, `interfaces: ${interfaces.map(({ name }) => name).join(', ')}`)]
  const none = finding(
    'warning',
    about,
    'there is no WireGuard interface',
    'bring one up, for example with: wg-quick up wg0',
  )
  if (hasWireguardModule) return [none]
  if (!hasWireguardGo) {
    const mend = "install wireguard-go, or a kernel that has WireGuard's module"
    return [finding('failure', about, 'neither the kernel nor a program does WireGuard', mend)]
  }
  return [none, tunDevice(tun)]
}

/** What wireguard-go works with. */
function tunDevice(tun: Presence): Finding {
  switch (tun) {
    case 'usable':
      return ok('tun', '/dev/net/tun can be used, for wireguard-go')
    case 'missing': {
      const mend = 'modprobe tun; in a container, give it the device /dev/net/tun'
      return finding('failure', 'tun', '/dev/net/tun is missing, which wireguard-go needs', mend)
    }
    case 'denied':
      return finding('failure', 'tun', '/dev/net/tun must not be opened here', 'run wireguard-go as root')
  }
}

function permissions({ isRoot, hasNetAdmin, noLibc, canMark }: MachineFacts): readonly Finding[] {
  const who = isRoot ? 'root' : 'this user'
  const may = hasNetAdmin
    ? ok('permissions', `${who} has CAP_NET_ADMIN`)
    : finding(
        'failure',
        'permissions',
        `${who} lacks CAP_NET_ADMIN, which wg needs for the kernel's WireGuard`,
        'run as root, or give the service AmbientCapabilities=CAP_NET_ADMIN',
      )
  if (noLibc !== undefined) {
    const says = `libc cannot be called (${noLibc}): packets cannot be marked, and a full tunnel would swallow them`
    return [may, finding('warning', 'marks', says, 'reinstall, with the optional package koffi')]
  }
  if (canMark) return [may, ok('marks', 'packets can be marked (SO_MARK)')]
  const says = 'packets cannot be marked: with AllowedIPs 0.0.0.0/0 they would enter the tunnel'
  return [may, finding('warning', 'marks', says, 'run as root or with CAP_NET_ADMIN')]
}

function loopbackRange({ hasLoopbackRange }: MachineFacts): Finding {
  if (hasLoopbackRange) return ok('loopback', 'all of 127.0.0.0/8 can be used: an address for each peer')
  const says = 'only 127.0.0.1 can be used: peers get ports, and under load share a limit of handshakes'
  return finding('note', 'loopback', says, 'use a system where lo has 127.0.0.1/8, as Linux does')
}

function port({ port: free }: MachineFacts): Finding {
  if (typeof free === 'number')
    return ok('ports', `UDP and TCP port ${free} are free, and ${free + 1} on loopback`)
  return finding('failure', 'ports', free, 'choose another with --listen-port, or end what has it')
}

function clock({ unixMs, isClockSynchronised }: MachineFacts): Finding {
  const shown = new Date(unixMs).toISOString()
  const mend = 'set it, and keep it by NTP (for example: timedatectl set-ntp true)'
  if (unixMs < EARLIEST_CLOCK_MS)
    return finding('failure', 'clock', `the clock shows ${shown}: no record would be believed`, mend)
  if (isClockSynchronised === false) {
    const says = `the clock shows ${shown} and is not kept right; records are refused from 2 hours off`
    return finding('note', 'clock', says, mend)
  }
  return ok('clock', `it shows ${shown}`)
}

function families({ hasIpv4, hasGlobalIpv6 }: MachineFacts): readonly Finding[] {
  const ipv6 = hasGlobalIpv6
    ? ok('ipv6', 'there is a global address: no NAT to those who have one, too')
    : finding('note', 'ipv6', 'there is no global IPv6 address', 'ask the provider, or the router, for IPv6')
  if (hasIpv4 || hasGlobalIpv6) return [ipv6]
  const says = 'no address but loopback and link-local ones'
  return [finding('failure', 'network', says, 'connect it to a network'), ipv6]
}

function mtu({ interfaces, uplinkMtu }: MachineFacts): readonly Finding[] {
  if (typeof interfaces === 'string' || uplinkMtu === undefined) return []
  const most = uplinkMtu - WIREGUARD_OVERHEAD
  return interfaces.flatMap(({ name, mtu: own }) => {
    if (own === undefined) return []
    if (own <= most) return [ok('mtu', `${name} has ${own}, and the device it leaves by ${uplinkMtu}`)]
    const says = `${name} has an MTU of ${own}, too large for the ${uplinkMtu} of the device it leaves by`
    return [
      finding('warning', 'mtu', says, `ip link set mtu ${most} dev ${name}, and MTU = ${most} in its file`),
    ]
  })
}
