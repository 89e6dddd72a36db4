/**
 * Experiments on the NAT, a step at a time, on a spare socket: one whose mapping is nobody's, so that whom it has talked
 * to is known, and that it may rest. Every step ends, with an outcome.
 *
 * - `reflect`: plain Binding requests to a reflector, until it answers
 * - `probe`: a server is asked to send to `to`, twice if need be; did it arrive?
 * - `hairpin`: Binding requests of ours to our own reflexive address; did one arrive?
 * - `rest`: nothing at all
 */

import { equals } from 'uint8arrays'
import { type SocketAddress, sameSocketAddress } from '../../base/address.js'
import { isDropped } from '../../base/drops.js'
import type { Random } from '../../base/random.js'
import { isStreamAddress } from '../../base/streamAddress.js'
import { after, type Instant, SECOND } from '../../base/time.js'
import { decodeStun, encodeStun } from '../../wire/stun/message.js'
import { BINDING } from '../../wire/stun/registry.js'
import { PROBE_NONCE_LENGTH, type ProbeSource } from '../../wire/udpProbe.js'
import type { Emit } from '../effects.js'
import type { LocalSocket, UdpProber } from '../inputs.js'

export type Step =
  | { readonly do: 'reflect'; readonly at: SocketAddress }
  | {
      readonly do: 'probe'
      readonly by: UdpProber
      readonly from: ProbeSource
      readonly to: SocketAddress
    }
  | { readonly do: 'hairpin'; readonly to: SocketAddress }
  | { readonly do: 'rest'; readonly ms: number }

export interface Outcome {
  /** Of `reflect`: how the socket is seen; undefined where there was no answer. */
  readonly seen?: SocketAddress | undefined
  /** Of `probe` and `hairpin`; undefined where nothing was sent, or not to where it was wanted. */
  readonly arrived?: boolean | undefined
  /** Of `probe`: the port that sent, where it is not the usual one. It reflects for a moment. */
  readonly otherPort?: number | undefined
}

/** Milliseconds to wait after each Binding request. */
const REQUEST_WAITS: readonly number[] = [200, 400, 800]
/** Probes that are asked for before it is believed that none gets in. */
const PROBES = 2
/** How long a server may take to answer, and then a datagram to arrive. */
const ANSWER_MS = 8 * SECOND
const ARRIVAL_MS = SECOND

interface UnderWay {
  readonly step: Step
  /** How often it was sent, or asked for. */
  tries: number
  /** Transaction ids of what was sent or asked for. */
  readonly nonces: Uint8Array[]
  nextAt: Instant
  /** Of `probe`: where the server says that it sent to, once it has. */
  wasSent: boolean
  otherPort: number | undefined
}

export class NatSteps {
  readonly socket: LocalSocket
  readonly #emit: Emit
  readonly #random: Random
  #underWay: UnderWay | undefined = undefined

  constructor(socket: LocalSocket, emit: Emit, random: Random) {
    this.socket = socket
    this.#emit = emit
    this.#random = random
  }

  get nextWake(): Instant | undefined {
    return this.#underWay?.nextAt
  }

  begin(step: Step, now: Instant): void {
    const nextAt = step.do === 'rest' ? after(now, step.ms) : now
    this.#underWay = { step, tries: 0, nonces: [], nextAt, wasSent: false, otherPort: undefined }
    if (step.do !== 'rest') this.wake(now)
  }

  /** Goes on; returns the outcome of the step where time has decided it. */
  wake(now: Instant): Outcome | undefined {
    const doing = this.#underWay
    if (doing === undefined || doing.nextAt > now) return undefined
    const { step } = doing
    switch (step.do) {
      case 'rest':
        return this.#end({})
      case 'probe':
        if (doing.tries > 0 && !doing.wasSent) return this.#end({})
        if (doing.tries >= PROBES) return this.#end({ arrived: false, otherPort: doing.otherPort })
        doing.wasSent = false
        doing.nextAt = after(now, ANSWER_MS)
        this.#emit({
          type: 'ask-udp-probe',
          server: step.by.server,
          at: step.by.reflector.ip,
          port: step.to.port,
          from: step.from,
          nonce: this.#nonce(doing),
        })
        return undefined
      default: {
        const wait = REQUEST_WAITS[doing.tries]
        if (wait === undefined) return this.#end(step.do === 'hairpin' ? { arrived: false } : {})
        doing.nextAt = after(now, wait)
        this.#emit({
          type: 'send',
          socket: this.socket.id,
          remote: step.do === 'reflect' ? step.at : step.to,
          datagram: encodeStun({
            messageClass: 'request',
            method: BINDING,
            transactionId: this.#nonce(doing),
          }),
        })
        return undefined
      }
    }
  }

  /** The server has answered. */
  probeAnswered(
    nonce: Uint8Array,
    ip: string | undefined,
    otherPort: number | undefined,
    now: Instant,
  ): Outcome | undefined {
    const doing = this.#underWay
    const latest = doing?.nonces.at(-1)
    if (doing?.step.do !== 'probe' || latest === undefined || !equals(latest, nonce)) return undefined
    // It sees us elsewhere than reflectors do, or does not send now: nothing can be told.
    if (ip !== doing.step.to.ip) return this.#end({})
    doing.wasSent = true
    doing.otherPort = otherPort
    doing.nextAt = after(now, ARRIVAL_MS)
    return undefined
  }

  /** The spare socket received something; returns the outcome where that decides the step. */
  received(datagram: Uint8Array, from: SocketAddress): Outcome | undefined {
    const doing = this.#underWay
    const message = decodeStun(datagram)
    if (doing === undefined || isDropped(message) || message.method !== BINDING) return undefined
    if (!doing.nonces.some((nonce) => equals(nonce, message.transactionId))) return undefined
    const { step } = doing
    const seen = message.mappedAddress
    switch (message.messageClass) {
      case 'success':
        if (step.do !== 'reflect' || !sameSocketAddress(step.at, from)) return undefined
        return seen === undefined || isStreamAddress(seen.ip) ? undefined : this.#end({ seen })
      case 'request':
        return step.do === 'hairpin' ? this.#end({ arrived: true }) : undefined
      case 'indication': {
        if (step.do !== 'probe' || from.ip !== step.by.reflector.ip) return undefined
        const isUsual = from.port === step.by.reflector.port
        if (isUsual !== (step.from === 'usual-port')) return undefined
        return this.#end({ arrived: true, otherPort: isUsual ? undefined : from.port })
      }
      default:
        return undefined
    }
  }

  #nonce(doing: UnderWay): Uint8Array {
    const nonce = this.#random.bytes(PROBE_NONCE_LENGTH)
    doing.nonces.push(nonce)
    doing.tries += 1
    return nonce
  }

  #end(outcome: Outcome): Outcome {
    this.#underWay = undefined
    return outcome
  }
}
