/** NAT-PMP (wire/natPmp.ts). A mapping needs a second question: at which address it is. */

import { isDropped } from '../../base/drops.js'
import { SECOND } from '../../base/time.js'
import type { MappingSite, PortToMap } from '../../engine/path/mappedPort.js'
import {
  decodeNatPmpResponse,
  encodeNatPmpAddress,
  encodeNatPmpMap,
  type NatPmpResponse,
} from '../../wire/natPmp.js'
import {
  CONTROL_PORT,
  type MappingClient,
  type MappingOutcome,
  type OnDrop,
  refused,
  SILENT,
} from './mappingClient.js'
import { exchange } from './udpExchange.js'

export class NatPmpClient implements MappingClient {
  readonly #onDrop: OnDrop
  readonly #port: number

  /** `port` is for tests. */
  constructor(onDrop: OnDrop, port = CONTROL_PORT) {
    this.#onDrop = onDrop
    this.#port = port
  }

  async probe(site: MappingSite, signal: AbortSignal): Promise<boolean> {
    const answer = await this.#ask(site, encodeNatPmpAddress(), ({ opcode }) => opcode !== 'map', signal)
    // Without an address on its outer side it maps nothing of use; but it may get one.
    return answer !== undefined && answer.result !== 1 && answer.result !== 2
  }

  async map(port: PortToMap, lifetimeMs: number, signal: AbortSignal): Promise<MappingOutcome> {
    const { site, protocol, internalPort, externalPort } = port
    const lifetimeS = Math.round(lifetimeMs / SECOND)
    const request = encodeNatPmpMap({ protocol, internalPort, externalPort, lifetimeS })
    const isOurs = (answer: NatPmpResponse): boolean =>
      answer.opcode === 'error' ||
      (answer.opcode === 'map' && answer.protocol === protocol && answer.internalPort === internalPort)
    const [mapped, outer] = await Promise.all([
      this.#ask(site, request, isOurs, signal),
      this.#ask(site, encodeNatPmpAddress(), ({ opcode }) => opcode !== 'map', signal),
    ])
    if (mapped === undefined || outer === undefined) return SILENT
    if (mapped.opcode !== 'map' || mapped.lifetimeS === 0) return refused(`NAT-PMP result ${mapped.result}`)
    if (outer.opcode !== 'address') return refused(`NAT-PMP result ${outer.result}`)
    const external = { ip: outer.ip, port: mapped.externalPort }
    return { type: 'mapped', external, lifetimeMs: mapped.lifetimeS * SECOND }
  }

  async unmap({ site, protocol, internalPort }: PortToMap, signal: AbortSignal): Promise<void> {
    const request = encodeNatPmpMap({ protocol, internalPort, externalPort: 0, lifetimeS: 0 })
    await this.#ask(site, request, () => true, signal)
  }

  /** The first answer that is one to this request; undefined where none comes. */
  async #ask(
    site: MappingSite,
    request: Uint8Array,
    isAnswer: (answer: NatPmpResponse) => boolean,
    signal: AbortSignal,
  ): Promise<NatPmpResponse | undefined> {
    let found: NatPmpResponse | undefined
    const onAnswer = (bytes: Uint8Array): boolean => {
      const answer = decodeNatPmpResponse(bytes)
      if (isDropped(answer) || !isAnswer(answer)) {
        this.#onDrop('gateway-malformed')
        return false
      }
      found = answer
      return true
    }
    await exchange(
      site,
      { datagrams: [request], to: [{ ip: site.gateway, port: this.#port }], onAnswer },
      signal,
    )
    return found
  }
}
