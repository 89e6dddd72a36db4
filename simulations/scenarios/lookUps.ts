/** Counts look-ups of peers' records, and those that were lost: after which nothing valid is known of a peer that is there. */

import type { PublicKey } from '../../src/base/publicKey.js'
import { MINUTE } from '../../src/base/time.js'
import type { Effect } from '../../src/engine/effects.js'
import type { Input } from '../../src/engine/inputs.js'
import type { Machine } from '../hosts/machine.js'
import type { Observer } from '../observer.js'
import type { Measurement } from '../report/findings.js'

/** For a daemon that starts to be in the mesh, with its record. */
const ARRIVING_MS = 1 * MINUTE

export class LookUpTally implements Observer {
  readonly lost: string[] = []
  /** Those that ended. */
  ended = 0
  readonly #machines: readonly Machine[]
  readonly #elapsed: () => number
  /** When the look-up began that is under way, by host and peer. */
  readonly #begun = new Map<string, number>()
  /** By host: the daemon that runs, and since when. */
  readonly #running = new Map<string, { readonly daemon: object; readonly since: number }>()

  constructor(machines: readonly Machine[], elapsed: () => number) {
    this.#machines = machines
    this.#elapsed = elapsed
  }

  handled(host: string, input: Input, effects: readonly Effect[]): void {
    const machine = this.#machines.find(({ name }) => name === host)
    if (machine === undefined) return
    this.#note(machine)
    if (input.type === 'look-up-ended') this.#ended(machine, input.peer)
    for (const effect of effects)
      if (effect.type === 'look-up') this.#begun.set(`${host} ${effect.peer}`, this.#elapsed())
  }

  get measurements(): readonly Measurement[] {
    return [
      {
        name: 'look-ups-of-peers',
        what: 'look-ups of peers that were there',
        unit: 'times',
        value: this.ended,
      },
      {
        name: 'look-ups-lost',
        what: 'after which nothing was known',
        unit: 'times',
        value: this.lost.length,
      },
    ]
  }

  #ended(machine: Machine, key: PublicKey): void {
    const begunAt = this.#begun.get(`${machine.name} ${key}`)
    const peer = this.#machines.find(({ publicKey }) => publicKey === key)
    if (begunAt === undefined || peer === undefined || peer === machine) return
    if (!this.#isThere(machine, begunAt) || !this.#isThere(peer, begunAt)) return
    this.ended += 1
    if (machine.daemon?.node.knownRecord(key, machine.clock.now) === undefined)
      this.lost.push(
        `${machine.name} found no record of ${peer.name} at ${(begunAt / MINUTE).toFixed(1)} min`,
      )
  }

  #isThere(machine: Machine, atMs: number): boolean {
    const running = this.#running.get(machine.name)
    return running !== undefined && running.daemon === machine.daemon && running.since + ARRIVING_MS < atMs
  }

  #note({ name, daemon }: Machine): void {
    if (daemon === undefined || this.#running.get(name)?.daemon === daemon) return
    this.#running.set(name, { daemon, since: this.#elapsed() })
  }
}
