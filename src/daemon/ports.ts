/**
 * Which ports a node has: one for UDP (packets and checks) and TCP (libp2p), and the next one for WireGuard's loopback
 * endpoints, so that 127.x.y.z and the addresses of the machine never collide.
 */

import { createServer } from 'node:net'
import { isPort } from '../base/address.js'
import { UserError } from '../base/userError.js'
import { bindUdpSocket } from '../io/udpSocket.js'
import { DEFAULT_LISTEN_PORT } from './config.js'

/** How many pairs of ports are tried where the user named none. */
const TRIES = 64

/** The port of the loopback endpoints beside a listen port. */
export function loopbackPort(listenPort: number): number {
  return isPort(listenPort + 1) ? listenPort + 1 : listenPort - 1
}

/**
 * The listen port: the one asked for, or the remembered one, or the default or the next free one. It is to be free on
 * `ips`, and the port beside it on `loopbackIp`, where the catch-all endpoint is.
 * Throws a UserError where it is taken; a remembered one that is taken gives way to a free one.
 */
export async function chooseListenPort(
  asked: number | undefined,
  remembered: number | undefined,
  ips: readonly string[],
  loopbackIp: string,
): Promise<number> {
  if (asked !== undefined) {
    const taken = await takenBy(asked, ips, loopbackIp)
    if (taken === undefined) return asked
    throw new UserError(`${taken} is in use: choose another with --listen-port`)
  }
  if (remembered !== undefined && (await takenBy(remembered, ips, loopbackIp)) === undefined)
    return remembered
  for (let port = DEFAULT_LISTEN_PORT; port < DEFAULT_LISTEN_PORT + 2 * TRIES; port += 2) {
    if ((await takenBy(port, ips, loopbackIp)) === undefined) return port
  }
  throw new UserError(
    `no free port from ${DEFAULT_LISTEN_PORT} to ${DEFAULT_LISTEN_PORT + 2 * TRIES - 1}: choose one with --listen-port`,
  )
}

/** Throws a UserError where one of the further TCP ports cannot be listened on. */
export async function checkFurtherPorts(ports: readonly number[]): Promise<void> {
  for (const port of ports) {
    const code = await whyNotTcp(port)
    if (code === 'EADDRINUSE')
      throw new UserError(`TCP port ${port} is in use: choose another with --also-listen`)
    if (code === 'EACCES')
      throw new UserError(
        `TCP port ${port} needs the capability CAP_NET_BIND_SERVICE, or leave --also-listen out`,
      )
  }
}

/** What of the ports that go with `port` is taken; undefined where all are free. */
async function takenBy(
  port: number,
  ips: readonly string[],
  loopbackIp: string,
): Promise<string | undefined> {
  for (const ip of ips) if (!isFreeUdp(ip, port)) return `UDP port ${port} on ${ip}`
  const loopback = loopbackPort(port)
  if (!isFreeUdp(loopbackIp, loopback)) return `UDP port ${loopback} on ${loopbackIp}`
  return (await isFreeTcp(port)) ? undefined : `TCP port ${port}`
}

/** Whether nobody has the port; an address that cannot be bound for another reason is nobody's either. */
function isFreeUdp(ip: string, port: number): boolean {
  try {
    bindUdpSocket({ ip, port }).close()
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'EADDRINUSE'
  }
}

async function isFreeTcp(port: number): Promise<boolean> {
  return (await whyNotTcp(port)) !== 'EADDRINUSE'
}

/** The code of the error that listening fails with; undefined where it does not. */
function whyNotTcp(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'unknown'))
    server.listen(port, () => server.close(() => resolve(undefined)))
  })
}
