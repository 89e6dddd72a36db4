/** HTTP as it is spoken with a gateway: one short request, one short answer from that very address, nothing followed. */

import { request } from 'node:http'
import type { GatewayUrl } from '../../wire/upnp.js'
import { MAX_XML_LENGTH } from '../../wire/xml.js'

/** From connecting to the last byte, in ms. */
const ANSWER_MS = 3_000

export interface GatewayAnswer {
  readonly status: number
  readonly body: string
}

export interface GatewayRequest {
  readonly url: GatewayUrl
  /** Our address that it leaves from. */
  readonly local: string
  /** A body is posted; without one, it is got. */
  readonly post?: { readonly action: string; readonly body: string }
}

/** The answer; undefined where there is none in time, or it is longer than {@link MAX_XML_LENGTH}. Never rejects. */
export function askHttp(
  { url, local, post }: GatewayRequest,
  signal: AbortSignal,
): Promise<GatewayAnswer | undefined> {
  return new Promise((resolve) => {
    const outgoing = request({
      host: url.ip,
      port: url.port,
      path: url.path,
      method: post === undefined ? 'GET' : 'POST',
      localAddress: local,
      agent: false,
      headers:
        post === undefined
          ? {}
          : {
              'Content-Type': 'text/xml; charset="utf-8"',
              SOAPAction: `"${post.action}"`,
              'Content-Length': Buffer.byteLength(post.body),
            },
    })
    const end = (answer?: GatewayAnswer) => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      outgoing.destroy()
      resolve(answer)
    }
    const onAbort = () => end()
    const timer = setTimeout(onAbort, ANSWER_MS)
    timer.unref()
    outgoing.on('error', onAbort)
    outgoing.on('response', (response) => {
      const chunks: Buffer[] = []
      let length = 0
      response.on('error', onAbort)
      response.on('data', (chunk: Buffer) => {
        length += chunk.length
        if (length > MAX_XML_LENGTH) end()
        else chunks.push(chunk)
      })
      response.on('end', () =>
        end({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }),
      )
    })
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) end()
    else outgoing.end(post?.body)
  })
}
