/** PCP (wire/pcp.ts): ports of NATs, and pinholes in IPv6 firewalls. */

import { familyOf } from '../../base/address.js'
import { isDropped } from '../../base/drops.js'
import { SECOND } from '../../base/time.js'
import type { MappingSite, PortToMap } from '../../engine/path/mappedPort.js'
import { decodePcpResponse, encodePcpAnnounce, encodePcpMap, PCP_RESULT } from '../../wire/pcp.js'
import {
  CONTROL_PORT,
  type MappingClient,
  type MappingOutcome,
  type OnDrop,
  refused,
  SILENT,
} from './mappingClient.js'
import { exchange } from './udpExchange.js'

export class PcpClient implements MappingClient {
  readonly #onDrop: OnDrop
  readonly #port: number

  /** `port` is for tests. */
  constructor(onDrop: OnDrop, port = CONTROL_PORT) {
    this.#onDrop = onDrop
    this.#port = port
  }

  async probe(site: MappingSite, signal: AbortSignal): Promise<boolean> {
    let speaks = false
    const onAnswer = (bytes: Uint8Array): boolean => {
      const answer = decodePcpResponse(bytes)
      if (isDropped(answer)) {
        // NAT-PMP's way to say that it knows no other version (RFC 6887 section 9) is no rubbish.
        if (bytes[0] !== 0) this.#onDrop(answer.dropped)
        return bytes[0] === 0
      }
      // A gateway that only maps may refuse the rest; it has understood the version.
      speaks = answer.result !== PCP_RESULT.unsupportedVersion && answer.result !== PCP_RESULT.notAuthorized
      return true
    }
    await exchange(site, { datagrams: [encodePcpAnnounce(site.local)], to: this.#at(site), onAnswer }, signal)
    return speaks
  }

  async map(port: PortToMap, lifetimeMs: number, signal: AbortSignal): Promise<MappingOutcome> {
    const { site, protocol, internalPort } = port
    let outcome: MappingOutcome = SILENT
    const onAnswer = (bytes: Uint8Array): boolean => {
      const answer = decodePcpResponse(bytes)
      const isOurs =
        !isDropped(answer) &&
        answer.opcode === 'map' &&
        answer.protocol === protocol &&
        answer.internalPort === internalPort &&
        answer.nonce.every((byte, index) => byte === port.nonce[index])
      if (!isOurs) {
        this.#onDrop('gateway-malformed')
        return false
      }
      const { result, external, lifetimeS } = answer
      if (result === PCP_RESULT.success && lifetimeS > 0)
        outcome = { type: 'mapped', external, lifetimeMs: lifetimeS * SECOND }
      else if (result === PCP_RESULT.cannotProvideExternal)
        outcome = { type: 'failed', reason: 'conflict', detail: 'the outer port is taken' }
      else outcome = refused(`PCP result ${result}`)
      return true
    }
    const datagrams = [request(port, Math.round(lifetimeMs / SECOND))]
    await exchange(site, { datagrams, to: this.#at(site), onAnswer }, signal)
    return outcome
  }

  async unmap(port: PortToMap, signal: AbortSignal): Promise<void> {
    const datagrams = [request(port, 0)]
    await exchange(port.site, { datagrams, to: this.#at(port.site), onAnswer: () => true }, signal)
  }

  #at({ gateway }: MappingSite) {
    return [{ ip: gateway, port: this.#port }]
  }
}

function request(
  { site, nonce, protocol, internalPort, externalPort }: PortToMap,
  lifetimeS: number,
): Uint8Array {
  const external = {
    ip: familyOf(site.local) === 4 ? '0.0.0.0' : '::',
    port: lifetimeS === 0 ? 0 : externalPort,
  }
  return encodePcpMap({ clientIp: site.local, nonce, protocol, internalPort, external, lifetimeS })
}
