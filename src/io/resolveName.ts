/** Host names to addresses, as the system resolves them (hosts file, DNS). */

import { lookup } from 'node:dns/promises'
import { canonicalIp, type SocketAddress } from '../base/address.js'
import { causeOf, codeOf, UserError } from '../base/userError.js'

/**
 * All addresses of `host`, both families, in the system's order (RFC 6724), with `port`. An address stands for itself.
 * Rejects with a UserError if there is no such name, or no answer within `deadlineMs`.
 */
export async function resolveName(
  host: string,
  port: number,
  deadlineMs: number,
): Promise<readonly SocketAddress[]> {
  const literal = canonicalIp(host)
  if (literal !== undefined) return [{ ip: literal, port }]
  let timer: NodeJS.Timeout | undefined
  // The system's resolver cannot be cancelled: its late answer is ignored.
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new UserError(`the name ${host} was not resolved within ${deadlineMs / 1000} s`)),
      deadlineMs,
    )
  })
  const answer = lookup(host, { all: true, verbatim: true }).catch((error: unknown) => {
    throw new UserError(`the name ${host} could not be resolved: ${codeOf(error) ?? causeOf(error)}`)
  })
  try {
    const found = await Promise.race([answer, deadline])
    return found.flatMap(({ address }) => {
      const ip = canonicalIp(address)
      return ip === undefined ? [] : [{ ip, port }]
    })
  } finally {
    clearTimeout(timer)
  }
}
