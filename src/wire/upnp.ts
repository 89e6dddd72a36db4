/**
 * The parts of UPnP that open ports at an Internet Gateway Device: finding it (UPnP Device Architecture 1.1 section 1.3.2,
 * SSDP), its description (section 2), and actions of its service WANIPConnection or WANPPPConnection (section 3, SOAP).
 *
 *     M-SEARCH over UDP ─► HTTP/1.1 200 OK, LOCATION ─► GET: description ─► POST: action ─► values, or a fault
 *
 * Only plain addresses of the gateway itself are taken from what it says: it may name no other host.
 */

import { fromString, toString as textOf } from 'uint8arrays'
import { canonicalIp, isPort, type SocketAddress } from '../base/address.js'
import { type Dropped, drop } from '../base/drops.js'
import { childText, descendants, escapeXml, parseXml } from './xml.js'

export const SSDP_PORT = 1900
export const SSDP_GROUP = '239.255.255.250'
/** Devices of version 2 answer to a search for version 1 (section 1.3.2). */
const SEARCHED = 'urn:schemas-upnp-org:device:InternetGatewayDevice:1'
const MAX_SEARCH_ANSWER = 2_048

/** Best first: the first version of it that a device has is used. Both versions have the actions used here. */
const SERVICES = [
  'urn:schemas-upnp-org:service:WANIPConnection:2',
  'urn:schemas-upnp-org:service:WANIPConnection:1',
  'urn:schemas-upnp-org:service:WANPPPConnection:1',
] as const

/** Faults (WANIPConnection:2 section 2.5) that need an answer of their own. */
export const UPNP_FAULT = { conflict: 718, samePortOnly: 724, permanentOnly: 725 } as const

/** A resource of a gateway: http://<ip>:<port><path>. */
export interface GatewayUrl extends SocketAddress {
  readonly path: string
}

/** The service by which ports are opened, and where it takes its actions. */
export interface ConnectionService {
  readonly type: string
  readonly path: string
}

export type ActionAnswer =
  | { readonly type: 'done'; readonly values: ReadonlyMap<string, string> }
  | { readonly type: 'fault'; readonly code: number }

/** A search, which each device is to answer within a second. */
export function encodeSearch(): Uint8Array {
  const lines = [
    'M-SEARCH * HTTP/1.1',
    `HOST: ${SSDP_GROUP}:${SSDP_PORT}`,
    'MAN: "ssdp:discover"',
    'MX: 1',
    `ST: ${SEARCHED}`,
  ]
  return fromString(`${lines.join('\r\n')}\r\n\r\n`)
}

/** Where the description is, from an answer to a search. What is none is dropped as `gateway-malformed`. */
export function decodeSearchAnswer(bytes: Uint8Array): GatewayUrl | Dropped {
  if (bytes.length > MAX_SEARCH_ANSWER) return drop('gateway-malformed')
  const [status = '', ...headers] = textOf(bytes, 'latin1').split('\r\n')
  if (!/^HTTP\/1\.[01] 200\b/.test(status)) return drop('gateway-malformed')
  const header = (name: string): string | undefined =>
    headers
      .find((line) => line.toLowerCase().startsWith(`${name}:`))
      ?.slice(name.length + 1)
      .trim()
  if (!(header('st') ?? '').startsWith(SEARCHED.slice(0, -1))) return drop('gateway-malformed')
  return parseGatewayUrl(header('location') ?? '') ?? drop('gateway-malformed')
}

/** Reads `http://192.168.1.1:5000/rootDesc.xml`; undefined where it is anything else, a name of a host included. */
export function parseGatewayUrl(text: string): GatewayUrl | undefined {
  const match = /^http:\/\/(\d[\d.]*)(?::(\d{1,5}))?(\/[\x21-\x7e]{0,512})?$/i.exec(text)
  const ip = canonicalIp(match?.[1] ?? '')
  const port = Number(match?.[2] ?? 80)
  return ip === undefined || !isPort(port) ? undefined : { ip, port, path: match?.[3] ?? '/' }
}

/** The service to use, from a description; dropped as `gateway-malformed` where there is none at the same address. */
export function decodeDescription(document: string, from: GatewayUrl): ConnectionService | Dropped {
  const root = parseXml(document)
  if (root === undefined || root.name !== 'root') return drop('gateway-malformed')
  const services = descendants(root, 'service')
  for (const type of SERVICES) {
    const service = services.find((each) => childText(each, 'serviceType') === type)
    const path = service === undefined ? undefined : pathAt(childText(service, 'controlURL') ?? '', from)
    if (path !== undefined) return { type, path }
  }
  return drop('gateway-malformed')
}

export function encodeAction(
  service: string,
  action: string,
  values: Readonly<Record<string, string | number>>,
): string {
  const body = Object.entries(values).map(([name, value]) => `<${name}>${escapeXml(String(value))}</${name}>`)
  return [
    '<?xml version="1.0"?>\r\n',
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"',
    ' s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>',
    `<u:${action} xmlns:u="${service}">${body.join('')}</u:${action}>`,
    '</s:Body></s:Envelope>\r\n',
  ].join('')
}

/** Reads the answer to `action`; dropped as `gateway-malformed` where it is neither its response nor a fault. */
export function decodeAction(document: string, action: string): ActionAnswer | Dropped {
  const root = parseXml(document)
  if (root === undefined || root.name !== 'Envelope') return drop('gateway-malformed')
  const [response] = descendants(root, `${action}Response`)
  if (response !== undefined)
    return { type: 'done', values: new Map(response.children.map(({ name, text }) => [name, text])) }
  const [error] = descendants(root, 'UPnPError')
  const code = error === undefined ? undefined : childText(error, 'errorCode')
  return code !== undefined && /^\d{3}$/.test(code)
    ? { type: 'fault', code: Number(code) }
    : drop('gateway-malformed')
}

/** The path of a URL of a description, absolute or relative to its root; undefined where it leads elsewhere. */
function pathAt(url: string, from: GatewayUrl): string | undefined {
  if (!/^https?:/i.test(url)) {
    const path = url.startsWith('/') ? url : `/${url}`
    return /^\/[\x21-\x7e]{1,512}$/.test(path) && !path.startsWith('//') ? path : undefined
  }
  const absolute = parseGatewayUrl(url)
  return absolute?.ip === from.ip && absolute.port === from.port ? absolute.path : undefined
}
