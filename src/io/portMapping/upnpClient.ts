/**
 * UPnP Internet Gateway Devices (wire/upnp.ts). The search is sent to the gateway itself and to the group of all devices
 * in the LAN, because some listen to one of them only; answers are taken from the gateway's address alone, and only what
 * is at that address is asked.
 */

import { canonicalIp } from '../../base/address.js'
import { isDropped } from '../../base/drops.js'
import { SECOND } from '../../base/time.js'
import type { MappingSite, PortToMap } from '../../engine/path/mappedPort.js'
import {
  type ActionAnswer,
  type ConnectionService,
  decodeAction,
  decodeDescription,
  decodeSearchAnswer,
  encodeAction,
  encodeSearch,
  type GatewayUrl,
  SSDP_GROUP,
  SSDP_PORT,
  UPNP_FAULT,
} from '../../wire/upnp.js'
import { askHttp } from './gatewayHttp.js'
import { type MappingClient, type MappingOutcome, type OnDrop, refused, SILENT } from './mappingClient.js'
import { exchange } from './udpExchange.js'

/** Where a gateway takes its actions. */
interface Control {
  readonly url: GatewayUrl
  readonly service: ConnectionService
}

export interface UpnpPlace {
  readonly port: number
  /** Undefined where no group is asked. */
  readonly group: string | undefined
}

const USUAL: UpnpPlace = { port: SSDP_PORT, group: SSDP_GROUP }
const DESCRIPTION = 'tunnelbore'
/** One a site, of which there are few. */
const MAX_CONTROLS = 8
const SUCCESS = 200
const FAULT = 500

export class UpnpClient implements MappingClient {
  readonly #onDrop: OnDrop
  readonly #place: UpnpPlace
  /** By the gateway and our address. */
  readonly #controls = new Map<string, Control>()

  /** `place` is for tests. */
  constructor(onDrop: OnDrop, place = USUAL) {
    this.#onDrop = onDrop
    this.#place = place
  }

  async probe(site: MappingSite, signal: AbortSignal): Promise<boolean> {
    return (await this.#find(site, signal)) !== undefined
  }

  async map(port: PortToMap, lifetimeMs: number, signal: AbortSignal): Promise<MappingOutcome> {
    const control = this.#controls.get(nameOf(port.site)) ?? (await this.#find(port.site, signal))
    if (control === undefined) return SILENT
    const outcome = await this.#map(control, port, lifetimeMs, signal)
    // It may have started again, with its service at another port.
    if (outcome === SILENT) this.#controls.delete(nameOf(port.site))
    return outcome
  }

  async unmap(port: PortToMap, signal: AbortSignal): Promise<void> {
    const control = this.#controls.get(nameOf(port.site)) ?? (await this.#find(port.site, signal))
    if (control === undefined) return
    await this.#act(control, port.site, 'DeletePortMapping', outerPort(port), signal)
  }

  async #map(
    control: Control,
    port: PortToMap,
    lifetimeMs: number,
    signal: AbortSignal,
  ): Promise<MappingOutcome> {
    const add = (externalPort: number, lifetimeS: number) =>
      this.#act(
        control,
        port.site,
        'AddPortMapping',
        {
          ...outerPort({ ...port, externalPort }),
          NewInternalPort: port.internalPort,
          NewInternalClient: port.site.local,
          NewEnabled: 1,
          NewPortMappingDescription: DESCRIPTION,
          NewLeaseDuration: lifetimeS,
        },
        signal,
      )
    let externalPort = port.externalPort
    let added = await add(externalPort, Math.round(lifetimeMs / SECOND))
    // Gateways of version 1 may know mappings without end only, and the outer port that is the inner one.
    if (isFault(added, UPNP_FAULT.permanentOnly)) added = await add(externalPort, 0)
    if (isFault(added, UPNP_FAULT.samePortOnly)) {
      externalPort = port.internalPort
      added = await add(externalPort, Math.round(lifetimeMs / SECOND))
    }
    if (added === undefined) return SILENT
    if (isFault(added, UPNP_FAULT.conflict))
      return { type: 'failed', reason: 'conflict', detail: 'the outer port is taken' }
    if (added.type === 'fault') return refused(`UPnP fault ${added.code}`)
    const outer = await this.#act(control, port.site, 'GetExternalIPAddress', {}, signal)
    if (outer === undefined) return { ...SILENT, opened: externalPort }
    const ip = outer.type === 'done' ? canonicalIp(outer.values.get('NewExternalIPAddress') ?? '') : undefined
    return ip === undefined
      ? { ...refused('it knows no address of its outer side'), opened: externalPort }
      : { type: 'mapped', external: { ip, port: externalPort }, lifetimeMs }
  }

  /** Undefined where no answer comes, or none that is one. */
  async #act(
    { url, service }: Control,
    { local }: MappingSite,
    action: string,
    values: Readonly<Record<string, string | number>>,
    signal: AbortSignal,
  ): Promise<ActionAnswer | undefined> {
    const post = { action: `${service.type}#${action}`, body: encodeAction(service.type, action, values) }
    const answer = await askHttp({ url: { ...url, path: service.path }, local, post }, signal)
    if (answer === undefined) return undefined
    const decoded =
      answer.status === SUCCESS || answer.status === FAULT ? decodeAction(answer.body, action) : undefined
    if (decoded !== undefined && !isDropped(decoded)) return decoded
    this.#onDrop('gateway-malformed')
    return undefined
  }

  async #find(site: MappingSite, signal: AbortSignal): Promise<Control | undefined> {
    const place = this.#place
    const urls: GatewayUrl[] = []
    const onAnswer = (bytes: Uint8Array): boolean => {
      const url = decodeSearchAnswer(bytes)
      if (isDropped(url) || url.ip !== site.gateway) this.#onDrop('gateway-malformed')
      else urls.push(url)
      return urls.length > 0
    }
    const to = [site.gateway, ...(place.group === undefined ? [] : [place.group])].map((ip) => ({
      ip,
      port: place.port,
    }))
    await exchange(site, { datagrams: [encodeSearch()], to, onAnswer }, signal)
    const [url] = urls
    if (url === undefined) return undefined
    const answer = await askHttp({ url, local: site.local }, signal)
    if (answer === undefined) return undefined
    const service = answer.status === SUCCESS ? decodeDescription(answer.body, url) : undefined
    if (service === undefined || isDropped(service)) {
      this.#onDrop('gateway-malformed')
      return undefined
    }
    const control = { url, service }
    const oldest = this.#controls.keys().next()
    if (this.#controls.size >= MAX_CONTROLS && !oldest.done) this.#controls.delete(oldest.value)
    this.#controls.set(nameOf(site), control)
    return control
  }
}

function nameOf({ gateway, local }: MappingSite): string {
  return `${gateway} ${local}`
}

/** What names a mapping at a gateway. */
function outerPort({ protocol, externalPort }: Pick<PortToMap, 'protocol' | 'externalPort'>) {
  return {
    NewRemoteHost: '',
    NewExternalPort: externalPort,
    NewProtocol: protocol.toUpperCase(),
  }
}

function isFault(answer: ActionAnswer | undefined, code: number): boolean {
  return answer?.type === 'fault' && answer.code === code
}
