/**
 * What ends after a time without use. All members of a list live equally long, so they end in the order in which they
 * were used last, and only the first one need be looked at. Using one, adding one and ending one takes constant time.
 */

/** What can be in a list; in one at a time. Only the list writes these. */
export interface Idle<Member> {
  /** When it was used last, in milliseconds. */
  usedAt: number
  previous: Member | undefined
  next: Member | undefined
}

export class IdleList<Member extends Idle<Member>> {
  readonly #lifetimeMs: number
  #first: Member | undefined = undefined
  #last: Member | undefined = undefined
  #size = 0

  constructor(lifetimeMs: number) {
    this.#lifetimeMs = lifetimeMs
  }

  get size(): number {
    return this.#size
  }

  /** Adds what is in no list. `now` is never earlier than before. */
  add(member: Member, now: number): void {
    this.#size += 1
    this.#append(member, now)
  }

  /** Gives a member its whole lifetime again. */
  use(member: Member, now: number): void {
    if (member === this.#last) {
      member.usedAt = now
      return
    }
    this.#unlink(member)
    this.#append(member, now)
  }

  /** Takes out the first one whose lifetime has passed, if there is one, and gives it. Call it until there is none. */
  takeExpired(now: number): Member | undefined {
    const first = this.#first
    if (first === undefined || now - first.usedAt <= this.#lifetimeMs) return undefined
    this.#unlink(first)
    this.#size -= 1
    return first
  }

  clear(): void {
    this.#first = undefined
    this.#last = undefined
    this.#size = 0
  }

  #append(member: Member, now: number): void {
    member.usedAt = now
    member.previous = this.#last
    member.next = undefined
    if (this.#last === undefined) this.#first = member
    else this.#last.next = member
    this.#last = member
  }

  #unlink(member: Member): void {
    const { previous, next } = member
    if (previous === undefined) this.#first = next
    else previous.next = next
    if (next === undefined) this.#last = previous
    else next.previous = previous
    member.previous = undefined
    member.next = undefined
  }
}
