/**
 * Host names to addresses, with how long they are good for: the hosts file first, then the name servers of the system,
 * then whatever else the system asks (mDNS, search lists, directories).
 *
 *   hosts file ─ unknown ─► A and AAAA, at once ─ no such name, or nobody to ask ─► getaddrinfo
 *                           (cancellable, with TTL)                                  (neither)
 *
 * getaddrinfo cannot be called off, and holds one of the few threads of the process until it has finished. So it is not
 * asked where the name servers hang, and never twice at a time for one name.
 */

import { lookup, Resolver } from 'node:dns/promises'
import { canonicalIp } from '../../base/address.js'
import { SECOND } from '../../base/time.js'
import { causeOf, codeOf } from '../../base/userError.js'
import { addressesInHostsFile } from './hostsFile.js'

export interface HostAddresses {
  /** Canonical, of both families; one at least. */
  readonly ips: readonly string[]
  /** Milliseconds; undefined where nobody said. */
  readonly ttlMs: number | undefined
}

/** Who is asked, where not the system's own. */
export interface NameMeans {
  readonly hostsFile?: string
  /** `ip:port` each. */
  readonly nameServers?: readonly string[]
}

/** Where the addresses of one family are there, those of the other are waited for no longer than this. */
const OTHER_FAMILY_MS = 1 * SECOND
/** A name server that is silent is asked again after this, and then the next one (c-ares doubles it with each round). */
const SERVER_MS = 1 * SECOND
const SERVER_TRIES = 3

/** Codes that say that the servers did not answer: the system's other means would wait for the same servers. */
const SILENT: readonly (string | undefined)[] = ['ETIMEOUT', 'ECANCELLED']

/** Look-ups of the system's that have not come back, by name. */
const underWay = new Map<string, Promise<readonly string[]>>()
const MAX_UNDER_WAY = 2

/** What codes mean to people. */
const MEANINGS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'there is no such name',
  ENODATA: 'it has no address',
  EAI_AGAIN: 'no name server answers',
  ETIMEOUT: 'no name server answers',
  ECONNREFUSED: 'no name server answers',
}

/**
 * The addresses of `host`. An address stands for itself. Rejects with the reason, for the end of a sentence, where there
 * is no such name, or no answer within `deadlineMs`, or the signal aborts.
 */
export async function hostAddresses(
  host: string,
  deadlineMs: number,
  stopping?: AbortSignal,
  means: NameMeans = {},
): Promise<HostAddresses> {
  const literal = canonicalIp(host)
  if (literal !== undefined) return { ips: [literal], ttlMs: undefined }
  const ended = new AbortController()
  const late = new Error(`no answer within ${deadlineMs / SECOND} s`)
  const timer = setTimeout(() => ended.abort(late), deadlineMs)
  const stop = () => ended.abort(new Error('it is not asked for any more'))
  stopping?.addEventListener('abort', stop)
  if (stopping?.aborted === true) stop()
  try {
    return await unlessAborted(askAll(host, means, ended.signal), ended.signal)
  } catch (error) {
    const code = codeOf(error)
    const meaning = code === undefined ? undefined : MEANINGS[code]
    throw new Error(meaning === undefined ? (code ?? causeOf(error)) : `${meaning} (${code})`)
  } finally {
    clearTimeout(timer)
    stopping?.removeEventListener('abort', stop)
    // Questions that are still under way end.
    ended.abort(late)
  }
}

async function askAll(
  host: string,
  { hostsFile, nameServers }: NameMeans,
  signal: AbortSignal,
): Promise<HostAddresses> {
  const known = await addressesInHostsFile(host, hostsFile)
  if (known.length > 0) return { ips: known, ttlMs: undefined }
  try {
    return await askNameServers(host, nameServers, signal)
  } catch (error) {
    if (SILENT.includes(codeOf(error))) throw error
  }
  signal.throwIfAborted()
  return { ips: await askSystem(host), ttlMs: undefined }
}

/** Both families at once. Rejects where neither has an address. */
async function askNameServers(
  host: string,
  nameServers: readonly string[] | undefined,
  signal: AbortSignal,
): Promise<HostAddresses> {
  // A new one each time: it reads resolv.conf, which changes as the machine roams, and remembers nothing.
  const resolver = new Resolver({ timeout: SERVER_MS, tries: SERVER_TRIES })
  if (nameServers !== undefined) resolver.setServers(nameServers)
  const cancel = () => resolver.cancel()
  signal.addEventListener('abort', cancel)
  if (signal.aborted) cancel()
  try {
    const four = resolver.resolve4(host, { ttl: true })
    const six = resolver.resolve6(host, { ttl: true })
    const first = await Promise.any([four, six]).catch((error: AggregateError) => {
      // What only says that one family has nothing matters less than that servers are silent.
      throw error.errors.find((each) => SILENT.includes(codeOf(each))) ?? error.errors[0]
    })
    const all = await withTheOther(first, [four, six])
    const ips = all.map(({ address }) => canonicalIp(address)).filter((ip) => ip !== undefined)
    if (ips.length === 0) throw new Error('it has no address')
    return { ips: [...new Set(ips)], ttlMs: Math.min(...all.map(({ ttl }) => ttl)) * SECOND }
  } finally {
    signal.removeEventListener('abort', cancel)
    resolver.cancel()
  }
}

type Answer = readonly { readonly address: string; readonly ttl: number }[]

/** Both answers; or the one that is there, where the other fails or takes long. */
async function withTheOther(first: Answer, both: readonly Promise<Answer>[]): Promise<Answer> {
  let timer: NodeJS.Timeout | undefined
  const enough = new Promise<Answer>((resolve) => {
    timer = setTimeout(() => resolve(first), OTHER_FAMILY_MS)
  })
  const settled = Promise.allSettled(both).then((answers) =>
    answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : [])),
  )
  try {
    return await Promise.race([settled, enough])
  } finally {
    clearTimeout(timer)
  }
}

/** getaddrinfo, in the system's order. */
function askSystem(host: string): Promise<readonly string[]> {
  const asked = underWay.get(host)
  if (asked !== undefined) return asked
  if (underWay.size >= MAX_UNDER_WAY) return Promise.reject(new Error('other names are waited for'))
  const asking = lookup(host, { all: true, verbatim: true })
    .then((found) => found.map(({ address }) => canonicalIp(address)).filter((ip) => ip !== undefined))
    .finally(() => underWay.delete(host))
  underWay.set(host, asking)
  return asking
}

async function unlessAborted<Value>(answer: Promise<Value>, signal: AbortSignal): Promise<Value> {
  let onAbort: () => void = () => undefined
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
  })
  try {
    return await Promise.race([aborted, answer])
  } finally {
    signal.removeEventListener('abort', onAbort)
    answer.catch(() => undefined)
  }
}
