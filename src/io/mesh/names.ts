/**
 * The names in the addresses that the user gave, resolved by the system and by nobody else: `/dns`, `/dns4` and `/dns6`
 * to addresses, and `/dnsaddr` to further multiaddrs, which are TXT records of `_dnsaddr.<name>`, each
 * `dnsaddr=<multiaddr>` (https://github.com/multiformats/multiaddr/blob/master/protocols/DNSADDR.md). Names from others
 * are never resolved: they would choose whom we ask.
 */

import { Resolver } from 'node:dns/promises'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { canonicalIp, familyOf } from '../../base/address.js'
import { SECOND } from '../../base/time.js'
import { causeOf, codeOf } from '../../base/userError.js'
import { hostAddresses } from '../names/hostAddresses.js'
import { peerIdOf } from './multiaddrs.js'

/** Who is asked for names. */
export interface NameResolver {
  /** The addresses of a host, of one family or (0) of both. Rejects where there are none. */
  addresses(name: string, family: 0 | 4 | 6): Promise<readonly string[]>
  /** The TXT records of a name. Rejects where there are none, or the signal aborts. */
  texts(name: string, signal: AbortSignal): Promise<readonly string[]>
}

/** A name can lead to names: so deep, and no deeper. */
const MAX_DEPTH = 4
/** How many multiaddrs one name leads to at most. */
const MAX_ADDRESSES = 16

/** A question for the addresses of a host ends within this; whoever asks may be done earlier. */
const ADDRESSES_MS = 10 * SECOND

/** The system's: its hosts file and name servers. Nothing is cached here, so a host that moved is found at the next try. */
export const systemNames: NameResolver = {
  async addresses(name, family) {
    const { ips } = await hostAddresses(name, ADDRESSES_MS)
    return ips.filter((ip) => family === 0 || familyOf(ip) === family)
  },
  async texts(name, signal) {
    const resolver = new Resolver()
    const cancel = () => resolver.cancel()
    signal.addEventListener('abort', cancel)
    try {
      return (await resolver.resolveTxt(name)).map((chunks) => chunks.join(''))
    } finally {
      signal.removeEventListener('abort', cancel)
    }
  },
}

/** True for an address that begins with a name. */
export function isNamed(address: Multiaddr): boolean {
  return address.getComponents()[0]?.name.startsWith('dns') === true
}

/**
 * The addresses over TCP that a multiaddr ending in `/p2p/<id>` leads to, all with that id; an address without a name is
 * its own. Rejects where there are none, or the signal aborts first, with a message that names the name.
 */
export async function resolveNames(
  address: Multiaddr,
  names: NameResolver,
  signal: AbortSignal,
): Promise<readonly Multiaddr[]> {
  if (!isNamed(address)) return [address]
  const [host] = address.getComponents()
  try {
    const found = await resolve(address, peerIdOf(address), names, signal, 0)
    if (found.length > 0) return [...new Map(found.map((each) => [each.toString(), each])).values()]
  } catch (error) {
    throw new Error(`the name ${host?.value} could not be resolved: ${codeOf(error) ?? causeOf(error)}`)
  }
  throw new Error(`the name ${host?.value} leads to no address of that node`)
}

async function resolve(
  address: Multiaddr,
  peerId: string | undefined,
  names: NameResolver,
  signal: AbortSignal,
  depth: number,
): Promise<readonly Multiaddr[]> {
  const [host, ...rest] = address.getComponents()
  const name = host?.value ?? ''
  if (host?.name !== 'dnsaddr') {
    if (!rest.every(({ name }) => name === 'tcp' || name === 'p2p')) return []
    if (!isNamed(address)) return [address]
    const family = host?.name === 'dns4' ? 4 : host?.name === 'dns6' ? 6 : 0
    const tail = rest.map(({ name, value }) => `/${name}/${value}`).join('')
    const ips = await unlessAborted(names.addresses(name, family), signal)
    return ips
      .map(canonicalIp)
      .filter((ip) => ip !== undefined)
      .slice(0, MAX_ADDRESSES)
      .map((ip) => multiaddr(`/ip${familyOf(ip)}/${ip}${tail}`))
  }
  if (depth === MAX_DEPTH) return []
  const texts = await unlessAborted(names.texts(`_dnsaddr.${name}`, signal), signal)
  const further = texts
    .map(parse)
    .filter((each) => each !== undefined && peerIdOf(each) === peerId)
    .filter((each) => each !== undefined)
    .slice(0, MAX_ADDRESSES)
  const found = await Promise.allSettled(
    further.map((each) => resolve(each, peerId, names, signal, depth + 1)),
  )
  const resolved = found.flatMap((each) => (each.status === 'fulfilled' ? each.value : []))
  const failed = found.find((each) => each.status === 'rejected')
  if (resolved.length === 0 && failed !== undefined) throw failed.reason
  return resolved.slice(0, MAX_ADDRESSES)
}

function parse(text: string): Multiaddr | undefined {
  const written = /^dnsaddr=(.+)$/.exec(text.trim())?.[1]
  try {
    return written === undefined ? undefined : multiaddr(written)
  } catch {
    return undefined
  }
}

/** The system's resolver cannot be called off: its late answer is ignored. */
async function unlessAborted<Value>(answer: Promise<Value>, signal: AbortSignal): Promise<Value> {
  signal.throwIfAborted()
  let onAbort: () => void = () => {}
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort)
  })
  try {
    return await Promise.race([answer, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
    answer.catch(() => {})
  }
}
