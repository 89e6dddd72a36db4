/** A Unix datagram socket, as a service manager has it. */

import koffi from 'koffi'

const libc = koffi.load(null)
const socket = libc.func('int socket(int domain, int type, int protocol)')
const bind = libc.func('int bind(int fd, const void *address, unsigned int length)')
const recv = libc.func('long recv(int fd, _Out_ void *bytes, size_t length, int flags)')
const close = libc.func('int close(int fd)')

const AF_UNIX = 1
const SOCK_DGRAM = 2
const MSG_DONTWAIT = 0x40

export class NotifySocket {
  readonly #fd: number

  /** `name`: a path, or `@` and a name of the abstract namespace. */
  constructor(name: string) {
    this.#fd = socket(AF_UNIX, SOCK_DGRAM, 0)
    const address = Buffer.concat([Buffer.from(Uint16Array.of(AF_UNIX).buffer), Buffer.from(name)])
    if (name.startsWith('@')) address[2] = 0
    if (bind(this.#fd, address, address.length) !== 0) throw new Error(`cannot bind to ${name}`)
  }

  /** The next message; undefined where there is none yet. */
  next(): string | undefined {
    const bytes = Buffer.alloc(4_096)
    const length = recv(this.#fd, bytes, bytes.length, MSG_DONTWAIT)
    return length < 0 ? undefined : bytes.toString('utf8', 0, length)
  }

  close(): void {
    close(this.#fd)
  }
}
