/**
 * The sessions that WireGuard has with one peer, in their three slots (noise.c, add_new_keypair):
 *
 *   ours was answered:      current ─► previous (or an unconfirmed next one in its place), the new one ─► current
 *   we answered the peer's: the new one ─► next, which we receive under and do not send under
 *   data under next:        current ─► previous, next ─► current
 */

import type { Session } from './session.js'

export class Keypairs<Owner> {
  readonly #owner: Owner
  /** Our indices of all sessions of the interface. */
  readonly #index: Map<number, Owner>
  #previous: Session | undefined = undefined
  #current: Session | undefined = undefined
  #next: Session | undefined = undefined

  constructor(owner: Owner, index: Map<number, Owner>) {
    this.#owner = owner
    this.#index = index
  }

  /** What is sent under. */
  get current(): Session | undefined {
    return this.#current
  }

  find(ourIndex: number): Session | undefined {
    if (this.#current?.ourIndex === ourIndex) return this.#current
    if (this.#next?.ourIndex === ourIndex) return this.#next
    return this.#previous?.ourIndex === ourIndex ? this.#previous : undefined
  }

  add(session: Session): void {
    this.#index.set(session.ourIndex, this.#owner)
    this.#drop(this.#previous)
    if (session.isInitiator) {
      if (this.#next !== undefined) this.#drop(this.#current)
      this.#previous = this.#next ?? this.#current
      this.#next = undefined
      this.#current = session
    } else {
      this.#drop(this.#next)
      this.#previous = undefined
      this.#next = session
    }
  }

  /** Data came under a session. True where that confirms it. */
  confirm(session: Session): boolean {
    if (session !== this.#next) return false
    this.#drop(this.#previous)
    this.#previous = this.#current
    this.#current = session
    this.#next = undefined
    return true
  }

  clear(): void {
    for (const session of [this.#previous, this.#current, this.#next]) this.#drop(session)
    this.#previous = undefined
    this.#current = undefined
    this.#next = undefined
  }

  #drop(session: Session | undefined): void {
    if (session !== undefined) this.#index.delete(session.ourIndex)
  }
}
