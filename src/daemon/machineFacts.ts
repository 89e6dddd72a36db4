/** What `tunnelbore doctor` looks at on this machine. Nothing is changed; ports are bound for a moment. */

import { constants } from 'node:fs'
import { access, open, readFile } from 'node:fs/promises'
import { release } from 'node:os'
import { delimiter, join } from 'node:path'
import { isGlobal } from '../base/address.js'
import { causeOf, codeOf } from '../base/userError.js'
import { runCommand } from '../io/command.js'
import { localAddresses } from '../io/localAddresses.js'
import { canUseLoopbackRange } from '../io/loopbackSockets.js'
import { readRoutes } from '../io/routes.js'
import { socketOptionsAvailable } from '../io/socketOptions.js'
import { now } from '../io/systemClock.js'
import { bindUdpSocket, markUdpSocket } from '../io/udpSocket.js'
import { listInterfaces } from '../io/wireguard/wgTool.js'
import type { MachineFacts, Presence } from './machineDiagnosis.js'
import { chooseListenPort } from './ports.js'

/** capability.h of Linux. */
const CAP_NET_ADMIN = 12n

/** Any mark; the socket sends nothing. */
const SOME_MARK = 1

/** Looks at everything. Never rejects. */
export async function machineFacts(): Promise<MachineFacts> {
  const [interfaces, wgVersion, hasIp, hasWireguardGo, hasWireguardModule, tun, capabilities, synchronised] =
    await Promise.all([
      interfacesOrWhyNot(),
      runCommand('wg', ['--version']).then(firstLine, () => undefined),
      isOnPath('ip'),
      isOnPath('wireguard-go'),
      hasModule(),
      tunPresence(),
      effectiveCapabilities(),
      runCommand('timedatectl', ['show', '-p', 'NTPSynchronized', '--value']).then(firstLine, () => ''),
    ])
  const tunnels = new Set(typeof interfaces === 'string' ? [] : interfaces.map(({ name }) => name))
  const addresses = localAddresses(tunnels).map(({ ip }) => ip)
  const libc = socketOptionsAvailable()
  const hasLoopbackRange = canUseLoopbackRange()
  return {
    nodeVersion: process.versions.node,
    wgVersion,
    hasIp,
    hasWireguardGo,
    hasWireguardModule,
    interfaces,
    tun,
    isRoot: process.geteuid?.() === 0,
    hasNetAdmin: ((capabilities >> CAP_NET_ADMIN) & 1n) === 1n,
    noLibc: libc.available ? undefined : libc.reason,
    canMark: canMark(),
    hasLoopbackRange,
    port: await freePort(addresses, hasLoopbackRange ? '127.0.0.1' : '::1'),
    unixMs: now().unix,
    isClockSynchronised: synchronised === 'yes' ? true : synchronised === 'no' ? false : undefined,
    hasIpv4: addresses.some((ip) => !ip.includes(':')),
    hasGlobalIpv6: addresses.some((ip) => ip.includes(':') && isGlobal(ip)),
    uplinkMtu: await uplinkMtu(tunnels),
  }
}

async function interfacesOrWhyNot(): Promise<MachineFacts['interfaces']> {
  try {
    const names = await listInterfaces()
    return await Promise.all(names.map(async (name) => ({ name, mtu: await mtuOf(name) })))
  } catch (error) {
    return causeOf(error)
  }
}

async function mtuOf(device: string): Promise<number | undefined> {
  const text = await readFile(`/sys/class/net/${device}/mtu`, 'utf8').catch(() => '')
  return /^\d+\s*$/.test(text) ? Number(text) : undefined
}

/** Of the device of the first default route that is no tunnel. */
async function uplinkMtu(tunnels: ReadonlySet<string>): Promise<number | undefined> {
  const routes = await readRoutes().catch(() => [])
  const device = routes.find(
    (route) => route.prefix.length === 0 && route.device !== undefined && !tunnels.has(route.device),
  )?.device
  return device === undefined ? undefined : mtuOf(device)
}

async function hasModule(): Promise<boolean> {
  const module = `/lib/modules/${release()}/kernel/drivers/net/wireguard/wireguard.ko`
  const places = ['/sys/module/wireguard', module, `${module}.xz`, `${module}.zst`, `${module}.gz`]
  const found = await Promise.all(places.map((place) => canAccess(place, constants.F_OK)))
  return found.includes(true)
}

async function tunPresence(): Promise<Presence> {
  try {
    const file = await open('/dev/net/tun', 'r+')
    await file.close()
    return 'usable'
  } catch (error) {
    const code = codeOf(error)
    return code === 'EACCES' || code === 'EPERM' ? 'denied' : 'missing'
  }
}

/** proc(5): CapEff is a mask in hexadecimal. */
async function effectiveCapabilities(): Promise<bigint> {
  const text = await readFile('/proc/self/status', 'utf8').catch(() => '')
  const mask = /^CapEff:\s*([0-9a-f]+)$/m.exec(text)?.[1]
  return mask === undefined ? 0n : BigInt(`0x${mask}`)
}

function canMark(): boolean {
  try {
    const socket = bindUdpSocket({ ip: '127.0.0.1', port: 0 })
    const isMarked = markUdpSocket(socket, SOME_MARK)
    socket.close()
    return isMarked
  } catch {
    return false
  }
}

async function freePort(ips: readonly string[], loopbackIp: string): Promise<number | string> {
  try {
    return await chooseListenPort(undefined, undefined, ips, loopbackIp)
  } catch (error) {
    return causeOf(error)
  }
}

async function isOnPath(program: string): Promise<boolean> {
  const { PATH = '' } = process.env
  const found = await Promise.all(
    PATH.split(delimiter).map((path) => canAccess(join(path, program), constants.X_OK)),
  )
  return found.includes(true)
}

function canAccess(path: string, mode: number): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  )
}

function firstLine(text: string): string {
  const [line = ''] = text.split('\n')
  return line.trim()
}
