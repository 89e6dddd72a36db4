/**
 * What a service manager that started us is told: systemd's protocol, sd_notify(3).
 *
 * Each message is a datagram of `NAME=value` to the Unix socket that NOTIFY_SOCKET names; Node has no such sockets.
 * Whoever asks for a watchdog (WATCHDOG_USEC) ends us where no WATCHDOG=1 has come for so long, in µs: a loop that hangs
 * would keep a network down until somebody looked.
 */

import { IS_LITTLE_ENDIAN, loadLibc, MSG_DONTWAIT, SOCK_CLOEXEC, SOCK_DGRAM } from './libc.js'

const AF_UNIX = 1
const MSG_NOSIGNAL = 0x4000
/** sun_path of struct sockaddr_un (unix(7)). */
const MAX_PATH = 108

export class ServiceManager {
  /** How long it waits for a sign of life, in ms; undefined where it does not. */
  readonly watchdogMs: number | undefined
  readonly #address: Uint8Array

  private constructor(address: Uint8Array, watchdogMs: number | undefined) {
    this.#address = address
    this.watchdogMs = watchdogMs
  }

  /** The one that started this process; undefined where none did that wants to be told. */
  static of(env: Readonly<NodeJS.ProcessEnv>, processId: number): ServiceManager | undefined {
    const { NOTIFY_SOCKET = '', WATCHDOG_USEC = '', WATCHDOG_PID = String(processId) } = env
    const address = unixAddress(NOTIFY_SOCKET)
    if (address === undefined) return undefined
    const watchdogMs = Number(WATCHDOG_USEC) / 1_000
    const isAwaited = Number.isFinite(watchdogMs) && watchdogMs > 0 && WATCHDOG_PID === String(processId)
    return new ServiceManager(address, isAwaited ? watchdogMs : undefined)
  }

  /** All is set up, and works. False where it could not be told, as in all that follows. */
  ready(): boolean {
    return this.#send('READY=1')
  }

  /** We are about to end. */
  stopping(): boolean {
    return this.#send('STOPPING=1')
  }

  /** A sign of life. */
  alive(): boolean {
    return this.#send('WATCHDOG=1')
  }

  #send(message: string): boolean {
    const libc = loadLibc()
    if ('reason' in libc) return false
    const fd = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)
    if (fd < 0) return false
    const bytes = new TextEncoder().encode(message)
    const flags = MSG_DONTWAIT | MSG_NOSIGNAL
    const sent = libc.sendto(fd, bytes, bytes.length, flags, this.#address, this.#address.length)
    libc.close(fd)
    return sent === bytes.length
  }
}

/** struct sockaddr_un; a name that begins with `@` is one of the abstract namespace. Undefined for what is no name. */
function unixAddress(name: string): Uint8Array | undefined {
  const path = new TextEncoder().encode(name)
  const isName = (name.startsWith('/') || name.startsWith('@')) && path.length > 1 && path.length < MAX_PATH
  if (!isName) return undefined
  const isAbstract = name.startsWith('@')
  const address = new Uint8Array(2 + path.length + (isAbstract ? 0 : 1))
  new DataView(address.buffer).setUint16(0, AF_UNIX, IS_LITTLE_ENDIAN)
  address.set(path, 2)
  if (isAbstract) address[2] = 0
  return address
}
