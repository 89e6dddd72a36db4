/**
 * The addresses that simulated networks hand out, by number, so that each is as readable as it is unlike the others.
 *
 * - public: the documentation blocks of RFC 5737, then the benchmarking block 198.18.0.0/15 (RFC 2544)
 * - behind a gateway: 192.168.n.0/24, and 10.n.0.0/16 for what does not fit; or 10.n.0.0/16 alone
 * - between a carrier-grade NAT and those behind it: a /16 of 100.64.0.0/10 (RFC 6598)
 * - IPv6: a /48 of 2001:db8::/32 (RFC 3849) for each site
 *
 * Behind gateways, .0 and .1 are left out: they are the network's and the gateway's own.
 */

const DOCUMENTATION = ['203.0.113', '198.51.100', '192.0.2']
/** In a block of 256; the first and the last are the network's and its broadcast's. */
const HOSTS_IN_BLOCK = 254
const BENCHMARKING_BLOCKS = 512
const FIRST_HOST = 2
const HOSTS_IN_HOME = HOSTS_IN_BLOCK + 1 - FIRST_HOST

/** Which kind of private network it is: see above. `subnet` is from 0 to 255. */
export type PrivateRange =
  | { readonly type: 'home'; readonly subnet: number }
  | { readonly type: 'company'; readonly subnet: number }
  | { readonly type: 'carrier'; readonly subnet: number }

/** The public IPv4 address with this number, from 0. */
export function publicIp4(number: number): string {
  const block = Math.floor(number / HOSTS_IN_BLOCK)
  const host = 1 + (number % HOSTS_IN_BLOCK)
  const documentation = DOCUMENTATION[block]
  if (documentation !== undefined) return `${documentation}.${host}`
  const benchmarking = block - DOCUMENTATION.length
  if (benchmarking >= BENCHMARKING_BLOCKS) throw new Error('no public IPv4 address is left')
  return `198.${18 + (benchmarking >> 8)}.${benchmarking & 255}.${host}`
}

/** The private IPv4 address of a host with this number, from 0. */
export function privateIp4(range: PrivateRange, number: number): string {
  switch (range.type) {
    case 'home': {
      if (number < HOSTS_IN_HOME) return `192.168.${range.subnet}.${FIRST_HOST + number}`
      return privateIp4({ type: 'company', subnet: range.subnet }, number - HOSTS_IN_HOME)
    }
    case 'company': {
      const host = FIRST_HOST + number
      if (host >= 2 ** 16) throw new Error('no address is left in a private network')
      return `10.${range.subnet}.${host >> 8}.${host & 255}`
    }
    case 'carrier': {
      const host = FIRST_HOST + number
      if (host >= 2 ** 16) throw new Error('no address is left behind a carrier-grade NAT')
      return `100.${64 + (range.subnet % 64)}.${host >> 8}.${host & 255}`
    }
  }
}

/** The private IPv4 address of the gateway itself. */
export function gatewayIp4(range: PrivateRange): string {
  return privateIp4(range, -1)
}

/** The IPv6 address of a host with this number, in the network with this number; both from 0. */
export function ip6(network: number, number: number): string {
  if (network >= 0xffff || FIRST_HOST + number > 0xffff) throw new Error('no IPv6 address is left')
  return `2001:db8:${(1 + network).toString(16)}::${(FIRST_HOST + number).toString(16)}`
}
