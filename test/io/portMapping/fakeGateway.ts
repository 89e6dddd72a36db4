/** A gateway on loopback, that answers as a test has it answer. */

import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import type { MappingProtocol, MappingSite, PortToMap } from '../../../src/engine/path/mappedPort.js'

export const SITE: MappingSite = { gateway: '127.0.0.1', device: 'lo', local: '127.0.0.1' }
export const NONCE = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)
export const LIFETIME_MS = 1_200_000

export function portToMap(by: MappingProtocol, protocol: 'udp' | 'tcp' = 'udp'): PortToMap {
  return { site: SITE, by, protocol, internalPort: 51_821, externalPort: 51_821, nonce: NONCE }
}

/** What a gateway over UDP heard, and where it listens. */
export interface UdpGateway {
  readonly port: number
  readonly heard: Uint8Array[]
}

/** `answer` gives all the datagrams that go back for one. */
export async function udpGateway(
  t: TestContext,
  answer: (request: Uint8Array) => readonly Uint8Array[],
  { gateway }: MappingSite = SITE,
): Promise<UdpGateway> {
  const socket: Socket = createSocket(gateway.includes(':') ? 'udp6' : 'udp4')
  const heard: Uint8Array[] = []
  socket.on('message', (request, { address, port }) => {
    heard.push(new Uint8Array(request))
    for (const bytes of answer(request)) socket.send(bytes, port, address)
  })
  socket.bind(0, gateway)
  await once(socket, 'listening')
  t.after(() => socket.close())
  return { port: socket.address().port, heard }
}

/** What an HTTP server of a gateway was asked: `POST /ctl AddPortMapping`, and with which body. */
export interface HttpGateway {
  readonly port: number
  readonly asked: { readonly what: string; readonly body: string }[]
}

export async function httpGateway(
  t: TestContext,
  answer: (what: string, body: string, response: ServerResponse) => void,
): Promise<HttpGateway> {
  const asked: HttpGateway['asked'] = []
  const server = createServer(async (request: IncomingMessage, response) => {
    let body = ''
    for await (const chunk of request) body += String(chunk)
    const action = /#(\w+)/.exec(request.rawHeaders.join('\n'))?.[1]
    const what = [request.method, request.url, action].filter((part) => part !== undefined).join(' ')
    asked.push({ what, body })
    answer(what, body, response)
  })
  server.listen(0, SITE.gateway)
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, asked }
}

/** Something of every kind that is no answer. */
export const RUBBISH: readonly Uint8Array[] = [
  new Uint8Array(0),
  Uint8Array.of(0),
  Uint8Array.of(2, 0x81),
  new Uint8Array(24),
  new Uint8Array(60).fill(0xff),
  new Uint8Array(1_400).fill(2),
  new TextEncoder().encode('HTTP/1.1 200 OK\r\nLOCATION: file:///etc/passwd\r\n\r\n'),
]
