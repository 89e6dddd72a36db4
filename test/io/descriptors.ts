/** Sockets as the kernel knows them: by their descriptors. */

import { readdirSync } from 'node:fs'
import koffi from 'koffi'

const getsockopt = koffi
  .load(null)
  .func('int getsockopt(int fd, int level, int name, _Out_ void *value, _Inout_ unsigned int *length)')

/** SO_MARK as the kernel has it; undefined where `fd` is no open socket. */
export function markOf(fd: number): number | undefined {
  return optionOf(fd, 1, 36)
}

/** An option of 4 bytes; undefined where `fd` is no open socket. */
export function optionOf(fd: number, level: number, name: number): number | undefined {
  const value = new Uint32Array(1)
  return getsockopt(fd, level, name, value, [4]) === 0 ? value[0] : undefined
}

/** The sockets that `open` opens. */
export function socketsOpenedBy(open: () => void): readonly number[] {
  const before = new Set(sockets())
  open()
  return sockets().filter((fd) => !before.has(fd))
}

function sockets(): readonly number[] {
  const descriptors = readdirSync('/proc/self/fd').map(Number)
  return descriptors.filter((fd) => markOf(fd) !== undefined)
}
