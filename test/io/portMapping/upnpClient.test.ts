import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { type TestContext, test } from 'node:test'
import type { DropReason } from '../../../src/base/drops.js'
import { UpnpClient } from '../../../src/io/portMapping/upnpClient.js'
import { usedMemory } from '../../usedMemory.js'
import { httpGateway, LIFETIME_MS, portToMap, RUBBISH, SITE, udpGateway } from './fakeGateway.js'

const signal = new AbortController().signal
const TYPE = 'urn:schemas-upnp-org:service:WANIPConnection:1'
const DESCRIPTION = `<?xml version="1.0"?><root><device><serviceList><service><serviceType>${TYPE}</serviceType>
  <controlURL>/ctl</controlURL></service></serviceList></device></root>`

function envelope(body: string): string {
  return `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>${body}</s:Body></s:Envelope>`
}

function fault(code: number): string {
  return envelope(`<s:Fault><detail><UPnPError><errorCode>${code}</errorCode></UPnPError></detail></s:Fault>`)
}

type Answer = (what: string, body: string, response: ServerResponse) => void

/** As a gateway is that does all it is asked. */
const wellBehaved: Answer = (what, _body, response) => {
  const action = what.split(' ')[2]
  if (action === undefined) response.end(DESCRIPTION)
  else if (action === 'GetExternalIPAddress')
    response.end(
      envelope(
        `<u:${action}Response><NewExternalIPAddress>203.0.113.10</NewExternalIPAddress></u:${action}Response>`,
      ),
    )
  else response.end(envelope(`<u:${action}Response/>`))
}

interface Setting {
  readonly client: UpnpClient
  readonly asked: { readonly what: string; readonly body: string }[]
  readonly drops: DropReason[]
}

async function gateway(t: TestContext, answer: Answer, location?: string): Promise<Setting> {
  const drops: DropReason[] = []
  const http = await httpGateway(t, answer)
  const where = location ?? `http://${SITE.gateway}:${http.port}/desc.xml`
  const st = 'ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1'
  const found = new TextEncoder().encode(`HTTP/1.1 200 OK\r\n${st}\r\nLOCATION: ${where}\r\n\r\n`)
  const udp = await udpGateway(t, () => [...RUBBISH, found])
  const client = new UpnpClient((reason) => drops.push(reason), { port: udp.port, group: undefined })
  return { client, asked: http.asked, drops }
}

test('a gateway that answers is found, and opens and closes a port', async (t) => {
  const { client, asked, drops } = await gateway(t, wellBehaved)
  assert.equal(await client.probe(SITE, signal), true)
  assert.deepEqual(await client.map(portToMap('upnp'), LIFETIME_MS, signal), {
    type: 'mapped',
    external: { ip: '203.0.113.10', port: 51_821 },
    lifetimeMs: LIFETIME_MS,
  })
  await client.unmap(portToMap('upnp'), signal)
  assert.deepEqual(
    asked.map(({ what }) => what),
    [
      'GET /desc.xml',
      'POST /ctl AddPortMapping',
      'POST /ctl GetExternalIPAddress',
      'POST /ctl DeletePortMapping',
    ],
  )
  assert.match(asked[1]?.body ?? '', /<NewInternalClient>127\.0\.0\.1<.*<NewLeaseDuration>1200</s)
  assert.match(asked[3]?.body ?? '', /<NewExternalPort>51821<.*<NewProtocol>UDP</s)
  assert.equal(drops.length, RUBBISH.length)
})

test('a gateway that knows no mappings with an end makes one without', async (t) => {
  const { client, asked } = await gateway(t, (what, body, response) => {
    if (!body.includes('<NewLeaseDuration>1200<')) return wellBehaved(what, body, response)
    response.writeHead(500).end(fault(725))
  })
  assert.equal((await client.map(portToMap('upnp'), LIFETIME_MS, signal)).type, 'mapped')
  assert.match(asked[2]?.body ?? '', /<NewLeaseDuration>0</)
})

test('a port that is taken is a conflict, another fault a refusal', async (t) => {
  let code = 718
  const { client } = await gateway(t, (what, body, response) => {
    if (what.startsWith('GET')) wellBehaved(what, body, response)
    else response.writeHead(500).end(fault(code))
  })
  const map = () => client.map(portToMap('upnp'), LIFETIME_MS, signal)
  assert.deepEqual(await map(), { type: 'failed', reason: 'conflict', detail: 'the outer port is taken' })
  code = 606
  assert.deepEqual(await map(), { type: 'failed', reason: 'refused', detail: 'UPnP fault 606' })
})

test('an address that is none is a refusal', async (t) => {
  const { client } = await gateway(t, (what, body, response) => {
    if (!what.endsWith('GetExternalIPAddress')) return wellBehaved(what, body, response)
    const ip = '<NewExternalIPAddress>home.example</NewExternalIPAddress>'
    response.end(envelope(`<u:GetExternalIPAddressResponse>${ip}</u:GetExternalIPAddressResponse>`))
  })
  const outcome = await client.map(portToMap('upnp'), LIFETIME_MS, signal)
  assert.ok(outcome.type === 'failed' && outcome.reason === 'refused')
  assert.equal(outcome.opened, 51_821)
})

test('a gateway that opens a port and does not say where tells which one is to be closed', async (t) => {
  const { client } = await gateway(t, (what, body, response) => {
    if (!what.endsWith('GetExternalIPAddress')) return wellBehaved(what, body, response)
    response.destroy()
  })
  const outcome = await client.map(portToMap('upnp'), LIFETIME_MS, signal)
  assert.ok(outcome.type === 'failed' && outcome.reason === 'silent')
  assert.equal(outcome.opened, 51_821)
})

test('a port is closed where the gateway was silent meanwhile, and is found anew', async (t) => {
  let isSilent = false
  const { client, asked } = await gateway(t, (what, body, response) => {
    if (isSilent) response.destroy()
    else wellBehaved(what, body, response)
  })
  assert.equal((await client.map(portToMap('upnp'), LIFETIME_MS, signal)).type, 'mapped')
  isSilent = true
  assert.equal((await client.map(portToMap('upnp'), LIFETIME_MS, signal)).type, 'failed')
  isSilent = false
  await client.unmap(portToMap('upnp'), signal)
  assert.equal(asked.at(-1)?.what, 'POST /ctl DeletePortMapping')
})

test('a description at another host is not asked for', async (t) => {
  const { client, asked } = await gateway(t, wellBehaved, 'http://127.0.0.2:80/desc.xml')
  assert.equal(await client.probe(SITE, signal), false)
  assert.deepEqual(asked, [])
})

for (const [what, answer] of [
  ['no XML', (_what, _body, response) => response.end('<html>')],
  [
    'XML that defines entities',
    (_what, _body, response) => response.end('<!DOCTYPE a [<!ENTITY a "&a;">]><root>&a;</root>'),
  ],
  ['a description without the service', (_what, _body, response) => response.end('<root/>')],
  ['a redirect', (_what, _body, response) => response.writeHead(302, { Location: '/desc.xml' }).end()],
  ['a failure', (_what, _body, response) => response.writeHead(404).end(DESCRIPTION)],
  ['an answer cut off', (_what, _body, response) => response.destroy()],
] satisfies readonly (readonly [string, Answer])[]) {
  test(`a gateway that answers with ${what} is none, and is asked once`, async (t) => {
    const { client, asked } = await gateway(t, answer)
    assert.equal(await client.probe(SITE, signal), false)
    assert.equal(asked.length, 1)
  })
}

test('an answer without an end is given up, and takes no memory', async (t) => {
  const chunk = 'x'.repeat(64 * 1024)
  const { client } = await gateway(t, (_what, _body, response) => {
    const pour = (): void => {
      while (!response.destroyed && response.write(chunk));
    }
    response.on('drain', pour)
    pour()
  })
  const before = usedMemory()
  assert.equal(await client.probe(SITE, signal), false)
  assert.ok(usedMemory() - before < 16 * 1024 * 1024)
})

test('a gateway that hangs is given up', async (t) => {
  const { client } = await gateway(t, () => {})
  assert.equal(await client.probe(SITE, signal), false)
})

test('an abort ends it at once', async (t) => {
  const { client, asked } = await gateway(t, wellBehaved)
  assert.equal(await client.probe(SITE, AbortSignal.abort()), false)
  assert.deepEqual(asked, [])
})
