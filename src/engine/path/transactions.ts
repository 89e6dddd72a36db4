/** STUN requests of ours that wait for a response, by transaction id (RFC 8489 section 6.3). Bounded; the oldest is forgotten first. */

import { toString as toText } from 'uint8arrays'
import type { Random } from '../../base/random.js'
import { elapsed, type Instant, SECOND } from '../../base/time.js'

const TRANSACTION_ID_LENGTH = 12

export interface Transaction<Subject> {
  readonly subject: Subject
  readonly sentAt: Instant
}

/** An answer that was kept back for longer than this says nothing of now. */
const LATE_MS = 10 * SECOND

export function isLate({ sentAt }: Transaction<unknown>, now: Instant): boolean {
  return elapsed(sentAt, now) > LATE_MS
}

export class Transactions<Subject> {
  readonly #random: Random
  readonly #most: number
  readonly #open = new Map<string, Transaction<Subject>>()

  constructor(random: Random, most: number) {
    this.#random = random
    this.#most = most
  }

  /** A fresh transaction id for a request about `subject`. */
  begin(subject: Subject, now: Instant): Uint8Array {
    const id = this.#random.bytes(TRANSACTION_ID_LENGTH)
    if (this.#open.size >= this.#most) {
      const oldest = this.#open.keys().next()
      if (!oldest.done) this.#open.delete(oldest.value)
    }
    this.#open.set(toText(id, 'base64'), { subject, sentAt: now })
    return id
  }

  get(id: Uint8Array): Transaction<Subject> | undefined {
    return this.#open.get(toText(id, 'base64'))
  }

  end(id: Uint8Array): void {
    this.#open.delete(toText(id, 'base64'))
  }

  /** Forgets all whose subject is `gone`. */
  forget(gone: (subject: Subject) => boolean): void {
    for (const [id, transaction] of this.#open) if (gone(transaction.subject)) this.#open.delete(id)
  }
}
