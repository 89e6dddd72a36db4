/** What the engine wants of the mesh, done over libp2p; each ends with an input that says how it went. */

import type { PublicKey } from '../base/publicKey.js'
import { SECOND } from '../base/time.js'
import { causeOf } from '../base/userError.js'
import { recordKey } from '../engine/directory/admission.js'
import type { Effect } from '../engine/effects.js'
import type { Input } from '../engine/inputs.js'
import { within } from '../io/mesh/exchange.js'
import type { Mesh } from '../io/mesh/mesh.js'
import type { Logger } from './logger.js'

/** Deadlines of our own: the library's are minutes. */
const LOOK_UP_MS = 5 * SECOND
const KNOCK_MS = 4 * SECOND
const PUBLISH_MS = 15 * SECOND
const PROBE_MS = 15 * SECOND

export class MeshErrands {
  readonly #mesh: Mesh
  readonly #ownKey: PublicKey
  readonly #handle: (input: Input) => void
  readonly #log: Logger
  readonly #stopping = new AbortController()

  constructor(mesh: Mesh, ownKey: PublicKey, handle: (input: Input) => void, log: Logger) {
    this.#mesh = mesh
    this.#ownKey = ownKey
    this.#handle = handle
    this.#log = log
  }

  lookUp(peer: PublicKey): void {
    this.#run(async () => {
      try {
        for await (const signedRecord of this.#mesh.lookUp(recordKey(peer), this.#within(LOOK_UP_MS))) {
          this.#handle({ type: 'record-found', peer, signedRecord })
        }
      } catch (error) {
        this.#log.debug({ peer, cause: causeOf(error) }, 'a look-up failed')
      }
      this.#handle({ type: 'look-up-ended', peer })
    })
  }

  knock({ peer, identity, multiaddrs, knock }: Extract<Effect, { type: 'knock' }>): void {
    this.#run(async () => {
      try {
        const answer = await this.#mesh.knock({ identity, multiaddrs }, knock, this.#within(KNOCK_MS))
        this.#handle({ type: 'knock-answered', peer, answer })
      } catch (error) {
        this.#log.debug({ peer, cause: causeOf(error) }, 'a knock failed')
        this.#handle({ type: 'knock-failed', peer, reason: causeOf(error) })
      }
    })
  }

  publish(signedRecord: Uint8Array): void {
    this.#run(async () => {
      let acknowledgements = 0
      try {
        acknowledgements = await this.#mesh.publish(
          recordKey(this.#ownKey),
          signedRecord,
          this.#within(PUBLISH_MS),
        )
      } catch (error) {
        this.#log.debug({ cause: causeOf(error) }, 'a publication failed')
      }
      this.#log.debug({ acknowledgements }, 'published our record')
      this.#handle({ type: 'publication-ended', acknowledgements })
    })
  }

  probeReachability(): void {
    this.#run(async () => {
      const probe = await this.#mesh.probeReachability(this.#within(PROBE_MS))
      this.#log.debug(probe, 'asked whether others reach us')
      this.#handle({ type: 'reachability-probed', ...probe })
    })
  }

  serve(serves: boolean): void {
    this.#run(() => this.#mesh.setServing(serves))
  }

  /** What is under way ends now. */
  stop(): void {
    this.#stopping.abort()
  }

  #within(ms: number): AbortSignal {
    return within(ms, this.#stopping.signal)
  }

  /** Errands catch what can fail; what escapes is a bug and must be seen. */
  #run(errand: () => Promise<void>): void {
    errand().catch((error: unknown) => this.#log.error({ err: error }, 'an errand failed unexpectedly'))
  }
}
