/** Network interfaces by their index, which stays when one is renamed (if_nametoindex(3)). */

import { loadLibc } from './libc.js'

const IF_NAMESIZE = 16

/** The index of an interface; undefined where there is none of this name, or libc cannot be called. */
export function interfaceIndex(name: string): number | undefined {
  const libc = loadLibc()
  if ('reason' in libc) return undefined
  const index = libc.if_nametoindex(name)
  return index === 0 ? undefined : index
}

/** What the interface with this index is called now; undefined where there is none, or libc cannot be called. */
export function interfaceName(index: number): string | undefined {
  const libc = loadLibc()
  if ('reason' in libc) return undefined
  const name = new Uint8Array(IF_NAMESIZE)
  if (libc.if_indextoname(index, name) === null) return undefined
  return new TextDecoder().decode(name.subarray(0, name.indexOf(0)))
}
