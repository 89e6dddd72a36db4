/** The system's hosts file (hosts(5)): what it says of a name goes before what name servers say. */

import { readFile, stat } from 'node:fs/promises'
import { canonicalIp } from '../../base/address.js'

const HOSTS_FILE = '/etc/hosts'
/** Some block lists are kept in it; what is larger than this is not read. */
const MAX_BYTES = 8 * 1024 * 1024

/** The addresses of a name by the hosts file; none where it has no such name, or cannot be read. */
export async function addressesInHostsFile(name: string, file = HOSTS_FILE): Promise<readonly string[]> {
  try {
    if ((await stat(file)).size > MAX_BYTES) return []
    return addressesIn(await readFile(file, 'utf8'), name)
  } catch {
    return []
  }
}

/** What the text of a hosts file says of a name. Names are the same in either case, and with a dot at the end. */
export function addressesIn(text: string, name: string): readonly string[] {
  const wanted = plainName(name)
  const found = new Set<string>()
  for (const line of text.split('\n')) {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/)
    if (!names.some((each) => plainName(each) === wanted)) continue
    const ip = canonicalIp(address)
    if (ip !== undefined) found.add(ip)
  }
  return [...found]
}

function plainName(name: string): string {
  return name.replace(/\.$/, '').toLowerCase()
}
