/** Datagrams of which it is not known yet what became of them. A datagram is known again by its bytes. */

import { equals } from 'uint8arrays'
import type { SocketAddress } from '../../src/base/address.js'
import { isDropped } from '../../src/base/drops.js'
import { decodeStun } from '../../src/wire/stun/message.js'

export interface Sent<Side> {
  readonly side: Side
  readonly atMs: number
  readonly to: SocketAddress
  readonly bytes: Uint8Array
  /** Where it stands among the steps. */
  readonly position: number
}

export class UnderWay<Side> {
  readonly #sent: Sent<Side>[] = []

  get left(): readonly Sent<Side>[] {
    return this.#sent
  }

  add(sent: Sent<Side>): void {
    this.#sent.push(sent)
  }

  /** What a side sent has arrived: it is under way no more. Undefined for what was not sent, or had arrived before. */
  arrived(side: Side, bytes: Uint8Array): Sent<Side> | undefined {
    return this.#take((sent) => sent.side === side && equals(sent.bytes, bytes))
  }

  /** What a side asked a reflector to which this is the answer. */
  reflected(side: Side, answer: Uint8Array): Sent<Side> | undefined {
    const message = decodeStun(answer)
    if (isDropped(message) || message.messageClass !== 'success') return undefined
    return this.#take((sent) => {
      const request = decodeStun(sent.bytes)
      return sent.side === side && !isDropped(request) && equals(request.transactionId, message.transactionId)
    })
  }

  #take(isIt: (sent: Sent<Side>) => boolean): Sent<Side> | undefined {
    const at = this.#sent.findIndex(isIt)
    return at < 0 ? undefined : this.#sent.splice(at, 1)[0]
  }
}
