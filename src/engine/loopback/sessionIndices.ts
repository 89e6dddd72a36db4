/** Which handshake or session of our WireGuard is with which peer: its newest handshake's index each way. */

export class SessionIndices<Peer> {
  readonly #peer: Peer
  /** Those of all peers. */
  readonly #all: Map<number, Peer>
  readonly #own = { own: undefined as number | undefined, answer: undefined as number | undefined }

  constructor(peer: Peer, all: Map<number, Peer>) {
    this.#peer = peer
    this.#all = all
  }

  /** `own`: of a first message that our WireGuard made; `answer`: of its second message to one of the peer's. */
  set(which: 'own' | 'answer', index: number): void {
    const former = this.#own[which]
    if (former !== undefined && this.#all.get(former) === this.#peer) this.#all.delete(former)
    this.#own[which] = index
    this.#all.set(index, this.#peer)
  }

  clear(): void {
    for (const index of [this.#own.own, this.#own.answer]) {
      if (index !== undefined && this.#all.get(index) === this.#peer) this.#all.delete(index)
    }
  }
}
