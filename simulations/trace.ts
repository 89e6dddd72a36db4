/**
 * A digest of a run: SHA-256 over one line for each event observed, in order.
 *
 * ```
 *   12.5 sent ana 192.168.1.2:51821 203.0.113.7:51821 ana 148 wireguard 1
 *   62.5 handled ben {"type":"datagram-received", …} [{"type":"deliver", …}]
 * ```
 *
 * Of bytes a line says how many, and of a datagram which message it is: nothing that depends on the cryptography in use.
 * So one seed has one digest, on every machine, and with the stand-in for cryptography as with the real one.
 */

import { createHash } from 'node:crypto'
import { formatSocketAddress, type SocketAddress } from '../src/base/address.js'
import type { PublicKey } from '../src/base/publicKey.js'
import type { Effect } from '../src/engine/effects.js'
import type { Input } from '../src/engine/inputs.js'
import { readUint16 } from '../src/wire/integers.js'
import { isStun } from '../src/wire/stun/message.js'
import { wireguardType } from '../src/wire/wireguard.js'
import type { Datagram } from './network/datagram.js'
import type { Observer } from './observer.js'

/** Characters that are hashed at once. */
const CHUNK = 65_536

export class Trace implements Observer {
  readonly #now: () => number
  readonly #onLine: ((line: string) => void) | undefined
  readonly #hash = createHash('sha256')
  #pending = ''

  /**
   * `now` tells the milliseconds since the world began. `onLine` is given every line: to find where two runs part that
   * ought to be one.
   */
  constructor(now: () => number, onLine?: (line: string) => void) {
    this.#now = now
    this.#onLine = onLine
  }

  /** Of all that was observed so far, 64 hexadecimal digits. The trace may go on. */
  get digest(): string {
    this.#flush()
    return this.#hash.copy().digest('hex')
  }

  sent(host: string, datagram: Datagram): void {
    this.#write(`sent ${host} ${described(datagram)}`)
  }

  arrived(host: string, datagram: Datagram): void {
    this.#write(`arrived ${host} ${described(datagram)}`)
  }

  handled(host: string, input: Input, effects: readonly Effect[]): void {
    this.#write(`handled ${host} ${withoutBytes(input)} ${withoutBytes(effects)}`)
  }

  forwarded(
    host: string,
    direction: 'out' | 'in',
    peer: PublicKey,
    remote: SocketAddress,
    bytes: Uint8Array,
  ): void {
    this.#write(`forwarded ${host} ${direction} ${peer} ${formatSocketAddress(remote)} ${message(bytes)}`)
  }

  delivered(host: string, peer: PublicKey, bytes: Uint8Array, author: string): void {
    this.#write(`delivered ${host} ${peer} ${author} ${message(bytes)}`)
  }

  entered(host: string, peer: PublicKey, packet: Uint8Array): void {
    this.#write(`entered ${host} ${peer} ${packet.length}`)
  }

  emerged(host: string, peer: PublicKey, packet: Uint8Array): void {
    this.#write(`emerged ${host} ${peer} ${packet.length}`)
  }

  happened(what: string): void {
    this.#write(`happened ${JSON.stringify(what)}`)
  }

  /** A number is printed as the shortest decimal that means it and no other: the same everywhere (ECMA-262). */
  #write(event: string): void {
    const line = `${this.#now()} ${event}`
    this.#onLine?.(line)
    this.#pending += `${line}\n`
    if (this.#pending.length >= CHUNK) this.#flush()
  }

  #flush(): void {
    this.#hash.update(this.#pending)
    this.#pending = ''
  }
}

function described({ from, to, bytes, author }: Datagram): string {
  return `${formatSocketAddress(from)} ${formatSocketAddress(to)} ${author} ${message(bytes)}`
}

/** How long a message is, and which: STUN's by its type of 16 bits, which has class and method. */
function message(bytes: Uint8Array): string {
  const type = wireguardType(bytes)
  if (type !== undefined) return `${bytes.length} wireguard ${type}`
  return isStun(bytes) ? `${bytes.length} stun ${readUint16(bytes, 0).toString(16)}` : `${bytes.length}`
}

/** All that an input, or effects, say in words and numbers. */
function withoutBytes(what: Input | readonly Effect[]): string {
  return JSON.stringify(what, lengthOfBytes)
}

/** Looks at the holder: a Buffer has turned itself into something else by the time it gets here as `value`. */
function lengthOfBytes(this: Readonly<Record<string, unknown>>, key: string, value: unknown): unknown {
  const original = this[key]
  return original instanceof Uint8Array ? original.length : value
}
