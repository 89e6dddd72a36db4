/** The main routing tables of both families, through `ip -j route` (ip-route(8), iproute2). */

import { type AddressFamily, type Prefix, parsePrefix } from '../base/address.js'
import { UserError } from '../base/userError.js'
import { CommandError, runCommand } from './command.js'

/** Where packets to a prefix leave; `device` is undefined where they are refused (unreachable, blackhole, …). */
export interface Route {
  readonly prefix: Prefix
  readonly device: string | undefined
  /** The next hop; undefined where the destination is on the link. */
  readonly gateway: string | undefined
}

/**
 * The main tables, which hold for packets that carry WireGuard's mark. Of routes to the same prefix the first is the
 * one in use; a multipath route is listed once for each device. Rejects with a UserError if `ip` is missing or prints
 * what is not understood, and with a CommandError if it fails.
 */
export async function readRoutes(): Promise<readonly Route[]> {
  const [ipv4, ipv6] = await Promise.all([readTable(4), readTable(6)])
  return [...ipv4, ...ipv6]
}

/**
 * Reads what `ip -j route show` printed. Throws a UserError where that is no JSON array; entries in it without a
 * destination that is a prefix are left out.
 */
export function parseRoutes(family: AddressFamily, json: string): readonly Route[] {
  const entries: unknown = parseJson(json)
  if (!Array.isArray(entries))
    throw new UserError('"ip -j route" printed no list: is iproute2 older than 4.16?')
  return entries.flatMap((entry: unknown) => {
    const destination = text(entry, 'dst')
    if (destination === undefined) return []
    const everything = family === 4 ? '0.0.0.0/0' : '::/0'
    const prefix = parsePrefix(destination === 'default' ? everything : destination)
    if (prefix === undefined) return []
    const nexthops = field(entry, 'nexthops')
    const hops: readonly unknown[] = Array.isArray(nexthops) ? nexthops : [entry]
    return hops.map((hop) => ({
      prefix,
      device: text(hop, 'dev'),
      // A next hop of the other family is printed as `via` (ip-route(8)).
      gateway: text(hop, 'gateway') ?? text(field(hop, 'via'), 'host'),
    }))
  })
}

async function readTable(family: AddressFamily): Promise<readonly Route[]> {
  try {
    return parseRoutes(family, await runCommand('ip', ['-j', `-${family}`, 'route', 'show', 'table', 'main']))
  } catch (error) {
    // A table without a single route does not exist, and that is an error to ip.
    if (error instanceof CommandError && error.detail.includes('FIB table does not exist')) return []
    if (error instanceof CommandError && error.reason === 'missing')
      throw new UserError('the tool ip was not found: install iproute2')
    throw error
  }
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

function text(value: unknown, name: string): string | undefined {
  const found = field(value, name)
  return typeof found === 'string' ? found : undefined
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}
