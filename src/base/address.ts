/** IP addresses and ports, in one canonical text form so that they can be compared and used as keys. */

import ipaddr from 'ipaddr.js'

/** An IP address and a UDP or TCP port. `ip` is canonical: see {@link canonicalIp}. */
export interface SocketAddress {
  readonly ip: string
  readonly port: number
}

export type AddressFamily = 4 | 6

/**
 * Where an address means something.
 * `private` covers RFC 1918, RFC 6598 (carrier-grade NAT) and RFC 4193 (unique local); `stream` what streamAddress.ts gives
 * out, which means something in this process only.
 */
export type AddressScope =
  | 'unspecified'
  | 'loopback'
  | 'link-local'
  | 'private'
  | 'multicast'
  | 'stream'
  | 'global'

/** 100::/8 is reserved by the IETF (RFC 4291 section 2.4, IANA's registry): no machine has an address of it. */
export const STREAM_PREFIX = '100:ffff:'

/**
 * The one spelling of an address: IPv4 dotted decimal, IPv6 as RFC 5952 has it, IPv4-mapped IPv6 as IPv4.
 * Zone identifiers are not accepted: a zone means something on one machine only.
 * Returns undefined where `text` is no IP address.
 */
export function canonicalIp(text: string): string | undefined {
  if (!text.includes(':'))
    return ipaddr.IPv4.isValidFourPartDecimal(text) ? ipaddr.IPv4.parse(text).toString() : undefined
  if (text.includes('%')) return undefined
  // In a dotted tail ipaddr.js reads octal and hexadecimal, and takes ::1.2.3.4 (deprecated, RFC 4291 section 2.5.5.1)
  // for ::ffff:1.2.3.4.
  const tail = text.slice(text.lastIndexOf(':') + 1)
  if (tail.includes('.') && (!ipaddr.IPv4.isValidFourPartDecimal(tail) || text === `::${tail}`))
    return undefined
  return ipaddr.IPv6.isValid(text) ? spelling(ipaddr.IPv6.parse(text)) : undefined
}

function spelling(ip: ipaddr.IPv6): string {
  return ip.isIPv4MappedAddress() ? ip.toIPv4Address().toString() : ip.toRFC5952String()
}

/** The family of a canonical address. */
export function familyOf(ip: string): AddressFamily {
  return ip.includes(':') ? 6 : 4
}

/** The 4 or 16 bytes of a canonical address, in network order. Throws on what is no address at all. */
export function ipToBytes(ip: string): Uint8Array {
  return dottedDecimal(ip) ?? Uint8Array.from(ipaddr.parse(ip).toByteArray())
}

/** Reads what most addresses are; the general parser takes ten times as long, and each answer to a check holds one. */
function dottedDecimal(ip: string): Uint8Array | undefined {
  const bytes = new Uint8Array(4)
  let parts = 0
  let value = 0
  let digits = 0
  for (let at = 0; at < ip.length; at++) {
    const character = ip[at] ?? ''
    if (character === '.') {
      if (digits === 0 || parts === 3) return undefined
      bytes[parts++] = value
      value = 0
      digits = 0
    } else {
      const digit = character.charCodeAt(0) - 48
      if (digit < 0 || digit > 9) return undefined
      value = value * 10 + digit
      digits += 1
      if (value > 255 || digits > 3) return undefined
    }
  }
  if (parts !== 3 || digits === 0) return undefined
  bytes[3] = value
  return bytes
}

/** The canonical address of 4 or 16 bytes in network order; undefined for any other length. */
export function ipFromBytes(bytes: Uint8Array): string | undefined {
  if (bytes.length === 4) return bytes.join('.')
  return bytes.length === 16 ? spelling(new ipaddr.IPv6([...bytes])) : undefined
}

/** `1.2.3.4:5` or `[2001:db8::1]:5`, as `wg` prints endpoints. */
export function formatSocketAddress(address: SocketAddress): string {
  return familyOf(address.ip) === 6 ? `[${address.ip}]:${address.port}` : `${address.ip}:${address.port}`
}

/** Reads what {@link formatSocketAddress} writes; undefined where it is anything else. */
export function parseSocketAddress(text: string): SocketAddress | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text)
  if (match === null) return undefined
  const ip = canonicalIp(match[1] ?? match[2] ?? '')
  const port = Number(match[3])
  if (ip === undefined || !isPort(port)) return undefined
  if ((familyOf(ip) === 6) !== (match[1] !== undefined)) return undefined
  return { ip, port }
}

/** True for a port that can be sent to: 1 to 65535. */
export function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65_535
}

export function sameSocketAddress(a: SocketAddress, b: SocketAddress): boolean {
  return a.port === b.port && a.ip === b.ip
}

/** Where a canonical address means something. */
export function scopeOf(ip: string): AddressScope {
  let scope = scopes.get(ip)
  if (scope === undefined) {
    scope = computeScope(ip)
    if (scopes.size >= MAX_SCOPES) scopes.clear()
    scopes.set(ip, scope)
  }
  return scope
}

/** The same few addresses are asked about again and again; strangers can name any. */
const MAX_SCOPES = 1_024
const scopes = new Map<string, AddressScope>()

function computeScope(ip: string): AddressScope {
  if (ip.startsWith(STREAM_PREFIX)) return 'stream'
  switch (ipaddr.parse(ip).range()) {
    case 'unspecified':
      return 'unspecified'
    case 'loopback':
      return 'loopback'
    case 'linkLocal':
      return 'link-local'
    case 'private':
    case 'carrierGradeNat':
    case 'uniqueLocal':
      return 'private'
    case 'multicast':
    case 'broadcast':
      return 'multicast'
    default:
      return 'global'
  }
}

/** True for a canonical address that means the same to everybody. */
export function isGlobal(ip: string): boolean {
  return scopeOf(ip) === 'global'
}

/** A block of addresses in CIDR notation, parsed. */
export interface Prefix {
  readonly ip: string
  readonly length: number
}

/** Reads `10.0.0.0/8`, or a single address; undefined where it is neither. */
export function parsePrefix(text: string): Prefix | undefined {
  const [address = '', length, ...rest] = text.split('/')
  const ip = canonicalIp(address)
  if (ip === undefined || rest.length > 0) return undefined
  const bits = familyOf(ip) === 6 ? 128 : 32
  if (length === undefined) return { ip, length: bits }
  if (!/^\d{1,3}$/.test(length) || Number(length) > bits) return undefined
  return { ip, length: Number(length) }
}

/** True where `ip` lies in `prefix`; false across families. */
export function prefixContains(prefix: Prefix, ip: string): boolean {
  const start = bytesOfPrefix(prefix)
  const address = bytesOfIp(ip)
  if (start.length !== address.length) return false
  const whole = prefix.length >> 3
  for (let at = 0; at < whole; at++) if (start[at] !== address[at]) return false
  const rest = prefix.length & 7
  // Of no bits at all, eight are shifted away.
  return ((start[whole] ?? 0) ^ (address[whole] ?? 0)) >> (8 - rest) === 0
}

/**
 * What a limit for one sender goes by: an IPv4 address as it is; of an IPv6 address the /64, of which a single machine
 * has all addresses; of an address that stands for a stream the same of where the stream comes from (streamAddress.ts).
 */
export function senderBlock(ip: string): string {
  if (familyOf(ip) === 4) return ip
  const bytes = ipToBytes(ip)
  if (!ip.startsWith(STREAM_PREFIX)) return `${ipFromBytes(bytes.fill(0, 8))}/64`
  const source = bytes.slice(8)
  if (source[0] === 0 && source[1] === 0 && source[2] === 0xff && source[3] === 0xff)
    return ipFromBytes(source.subarray(4)) ?? ip
  const block = new Uint8Array(16)
  block.set(source)
  return `${ipFromBytes(block)}/64`
}

/** One address is compared with many prefixes, and each prefix with many addresses: neither is parsed each time. */
const bytesByPrefix = new WeakMap<Prefix, Uint8Array>()
let latestIp = { text: '', bytes: new Uint8Array(0) }

function bytesOfPrefix(prefix: Prefix): Uint8Array {
  let bytes = bytesByPrefix.get(prefix)
  if (bytes === undefined) {
    bytes = ipToBytes(prefix.ip)
    bytesByPrefix.set(prefix, bytes)
  }
  return bytes
}

function bytesOfIp(text: string): Uint8Array {
  if (latestIp.text !== text) latestIp = { text, bytes: Uint8Array.from(ipToBytes(text)) }
  return latestIp.bytes
}
