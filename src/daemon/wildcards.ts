/** Where TCP is listened on: everywhere, so that it need not follow the machine's addresses. */

import { networkInterfaces } from 'node:os'

/** The wildcard address of each family that this machine has. */
export function wildcards(): readonly string[] {
  const families = new Set(
    Object.values(networkInterfaces()).flatMap((addresses) => (addresses ?? []).map(({ family }) => family)),
  )
  return families.has('IPv6') ? ['0.0.0.0', '::'] : ['0.0.0.0']
}
