/** What the engine wants of the mesh, done over libp2p; each ends with an input that says how it went. */

import type { PublicKey } from '../base/publicKey.js'
import { SECOND } from '../base/time.js'
import { causeOf } from '../base/userError.js'
import { recordKey } from '../engine/directory/admission.js'
import type { Effect } from '../engine/effects.js'
import type { Input } from '../engine/inputs.js'
import { within } from '../io/deadline.js'
import { Unanswered } from '../io/mesh/exchange.js'
import type { Mesh } from '../io/mesh/mesh.js'
import { firstAnswer } from '../io/mesh/passing.js'
import type { UdpProbeAnswer } from '../wire/udpProbe.js'
import type { Logger } from './logger.js'

/** Deadlines of our own: the library's are minutes. */
const LOOK_UP_MS = 5 * SECOND
const KNOCK_MS = 4 * SECOND
/** A knock that was passed on and is not answered by then goes over a stream as well. */
const PASSED_MS = 400
const PUBLISH_MS = 15 * SECOND
const PROBE_MS = 15 * SECOND
const UDP_PROBE_MS = 6 * SECOND

/** What errands are done with. */
type Means = Pick<
  Mesh,
  'lookUp' | 'knock' | 'passKnock' | 'publish' | 'gossip' | 'probeReachability' | 'askUdpProbe' | 'setServing'
>

export class MeshErrands {
  readonly #mesh: Means
  readonly #handle: (input: Input) => void
  readonly #log: Logger
  readonly #stopping = new AbortController()

  constructor(mesh: Means, handle: (input: Input) => void, log: Logger) {
    this.#mesh = mesh
    this.#handle = handle
    this.#log = log
  }

  /** All keys are looked up at once; it ends when all have. */
  lookUp(peer: PublicKey, keys: readonly Uint8Array[]): void {
    this.#run(async () => {
      const signal = this.#within(LOOK_UP_MS)
      await Promise.all(keys.map((key) => this.#lookUpOne(peer, key, signal)))
      this.#handle({ type: 'look-up-ended', peer })
    })
  }

  /** Passed on by a relay of the peer's; over a stream where that fails, or takes long. */
  knock(effect: Extract<Effect, { type: 'knock' }>): void {
    const { peer, knock, sealedKnock } = effect
    this.#run(async () => {
      try {
        const signal = this.#within(KNOCK_MS)
        const overStream = async () => ({ answer: await this.#mesh.knock(effect, knock, signal) })
        const answered =
          sealedKnock === undefined
            ? await overStream()
            : await firstAnswer<{ readonly answer: Uint8Array; readonly sealed?: true }>(
                async () => ({
                  answer: await this.#mesh.passKnock(effect, sealedKnock, signal),
                  sealed: true,
                }),
                overStream,
                PASSED_MS,
              )
        this.#handle({ type: 'knock-answered', peer, ...answered })
      } catch (error) {
        this.#log.debug({ peer, cause: causeOf(error) }, 'a knock failed')
        const closed = error instanceof Unanswered
        this.#handle({ type: 'knock-failed', peer, reason: causeOf(error), closed })
      }
    })
  }

  publish({ period, key, sealedRecord, gossip }: Extract<Effect, { type: 'publish' }>): void {
    if (gossip) this.#gossip('records', sealedRecord)
    this.#run(async () => {
      let acknowledgements = 0
      try {
        const signal = this.#within(PUBLISH_MS)
        acknowledgements = await this.#mesh.publish(recordKey(key), sealedRecord, signal)
      } catch (error) {
        this.#log.debug({ cause: causeOf(error) }, 'a publication failed')
      }
      this.#log.debug({ period, acknowledgements, gossip }, 'published our record')
      this.#handle({ type: 'publication-ended', period, acknowledgements })
    })
  }

  probeReachability(): void {
    this.#run(async () => {
      const probe = await this.#mesh.probeReachability(this.#within(PROBE_MS))
      this.#log.debug(probe, 'asked whether others reach us')
      this.#handle({ type: 'reachability-probed', ...probe })
    })
  }

  askUdpProbe({ server, nonce, ...request }: Extract<Effect, { type: 'ask-udp-probe' }>): void {
    this.#run(async () => {
      const { at, port, from } = request
      let told: UdpProbeAnswer = { ip: undefined, otherPort: undefined }
      try {
        told = await this.#mesh.askUdpProbe(server, { at, port, from, nonce }, this.#within(UDP_PROBE_MS))
      } catch (error) {
        this.#log.debug({ server, cause: causeOf(error) }, 'a request for a UDP probe failed')
      }
      this.#handle({ type: 'udp-probe-answered', nonce, ...told })
    })
  }

  serve(serves: boolean): void {
    this.#run(() => this.#mesh.setServing(serves))
  }

  gossipKnock(sealedKnock: Uint8Array): void {
    this.#gossip('knocks', sealedKnock)
  }

  /** What is under way ends now. */
  stop(): void {
    this.#stopping.abort()
  }

  async #lookUpOne(peer: PublicKey, key: Uint8Array, signal: AbortSignal): Promise<void> {
    try {
      for await (const sealedRecord of this.#mesh.lookUp(recordKey(key), signal))
        this.#handle({ type: 'record-found', peer, sealedRecord })
    } catch (error) {
      this.#log.debug({ peer, cause: causeOf(error) }, 'a look-up failed')
    }
  }

  /** Nobody waits for it, and nobody says whether it arrived. */
  #gossip(topic: 'records' | 'knocks', bytes: Uint8Array): void {
    this.#run(async () => {
      try {
        await this.#mesh.gossip(topic, bytes)
      } catch (error) {
        this.#log.debug({ topic, cause: causeOf(error) }, 'gossip failed')
      }
    })
  }

  #within(ms: number): AbortSignal {
    return within(ms, this.#stopping.signal)
  }

  /** Errands catch what can fail; what escapes is a bug and must be seen. */
  #run(errand: () => Promise<void>): void {
    errand().catch((error: unknown) => this.#log.error({ err: error }, 'an errand failed unexpectedly'))
  }
}
