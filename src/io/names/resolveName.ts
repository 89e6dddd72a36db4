/** Host names and a port to socket addresses. */

import type { SocketAddress } from '../../base/address.js'
import { causeOf, UserError } from '../../base/userError.js'
import { hostAddresses } from './hostAddresses.js'

/**
 * All addresses of `host`, both families, with `port`. An address stands for itself. Rejects with a UserError if there is
 * no such name, or no answer within `deadlineMs`.
 */
export async function resolveName(
  host: string,
  port: number,
  deadlineMs: number,
): Promise<readonly SocketAddress[]> {
  try {
    const { ips } = await hostAddresses(host, deadlineMs)
    return ips.map((ip) => ({ ip, port }))
  } catch (error) {
    throw new UserError(`the name ${host} could not be resolved: ${causeOf(error)}`)
  }
}
