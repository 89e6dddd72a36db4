import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fromString, toString as textOf } from 'uint8arrays'
import {
  decodeAction,
  decodeDescription,
  decodeSearchAnswer,
  encodeAction,
  encodeSearch,
  parseGatewayUrl,
} from '../../src/wire/upnp.js'
import { parseXml } from '../../src/wire/xml.js'

const MALFORMED = { dropped: 'gateway-malformed' }
const FROM = { ip: '192.168.1.1', port: 5000, path: '/rootDesc.xml' }

function answer(lines: readonly string[]): Uint8Array {
  return fromString(`${['HTTP/1.1 200 OK', ...lines].join('\r\n')}\r\n\r\n`)
}

const ST = 'ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1'

function description(...services: readonly (readonly [type: string, url: string])[]): string {
  const list = services.map(
    ([type, url]) => `<service><serviceType>${type}</serviceType><controlURL>${url}</controlURL></service>`,
  )
  return `<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0"><device><deviceList><device>
    <serviceList>${list.join('')}</serviceList></device></deviceList></device></root>`
}

test('a search is the one of UPnP Device Architecture 1.1 section 1.3.2', () => {
  assert.equal(
    textOf(encodeSearch()),
    'M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: "ssdp:discover"\r\nMX: 1\r\n' +
      'ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n\r\n',
  )
})

test('an answer to a search names the description', () => {
  const bytes = answer(['Ext:', ST, 'location:  http://192.168.1.1:5000/rootDesc.xml'])
  assert.deepEqual(decodeSearchAnswer(bytes), FROM)
})

test('an answer of another device, without a place, or too long is dropped', () => {
  const location = 'LOCATION: http://192.168.1.1:5000/rootDesc.xml'
  for (const bytes of [
    answer([location]),
    answer([ST]),
    answer(['ST: upnp:rootdevice', location]),
    answer([ST, 'LOCATION: https://192.168.1.1/']),
    answer([ST, location, `X: ${'x'.repeat(3_000)}`]),
    fromString(`NOTIFY * HTTP/1.1\r\n${ST}\r\n${location}\r\n\r\n`),
  ])
    assert.deepEqual(decodeSearchAnswer(bytes), MALFORMED)
})

test('only plain URLs of an IPv4 address are taken', () => {
  assert.deepEqual(parseGatewayUrl('http://10.0.0.1'), { ip: '10.0.0.1', port: 80, path: '/' })
  for (const url of [
    'http://router.lan/',
    'http://user@10.0.0.1/',
    'http://10.0.0.1:0/',
    'http://10.0.0.1:99999/',
    'http://10.0.0.999/',
    'ftp://10.0.0.1/',
    'http://10.0.0.1/a b',
    'http://10.0.0.1/a\r\nHost: x',
    'http://[::1]/',
  ])
    assert.equal(parseGatewayUrl(url), undefined, url)
})

test('the best service of a description is used, at a path of the same address', () => {
  const one = 'urn:schemas-upnp-org:service:WANIPConnection:1'
  const two = 'urn:schemas-upnp-org:service:WANIPConnection:2'
  assert.deepEqual(decodeDescription(description([one, '/one'], [two, 'two']), FROM), {
    type: two,
    path: '/two',
  })
  assert.deepEqual(decodeDescription(description([one, 'http://192.168.1.1:5000/ctl']), FROM), {
    type: one,
    path: '/ctl',
  })
})

test('a description that leads elsewhere, or has no such service, is dropped', () => {
  const type = 'urn:schemas-upnp-org:service:WANIPConnection:1'
  for (const document of [
    description([type, 'http://192.168.1.2:5000/ctl']),
    description([type, 'http://192.168.1.1:22/ctl']),
    description([type, '//192.168.1.2/ctl']),
    description([type, '']),
    description(['urn:schemas-upnp-org:service:Layer3Forwarding:1', '/ctl']),
    '<root/>',
    '<html/>',
    'nonsense',
  ])
    assert.deepEqual(decodeDescription(document, FROM), MALFORMED, document)
})

test('an action is well-formed, whatever its values', () => {
  fc.assert(
    fc.property(fc.string(), (value) => {
      const document = encodeAction('urn:x', 'Act', { Value: value, Number: 7 })
      const action = parseXml(document)?.children[0]?.children[0]
      assert.equal(action?.name, 'Act')
      assert.deepEqual(
        action.children.map(({ name, text }) => [name, text]),
        [
          ['Value', value.trim()],
          ['Number', '7'],
        ],
      )
    }),
  )
})

test('answers to an action are read', () => {
  const envelope = (body: string) =>
    `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>${body}</s:Body></s:Envelope>`
  assert.deepEqual(decodeAction(envelope('<u:ActResponse><A>1</A></u:ActResponse>'), 'Act'), {
    type: 'done',
    values: new Map([['A', '1']]),
  })
  const fault = (code: string) =>
    envelope(`<s:Fault><detail><UPnPError><errorCode>${code}</errorCode></UPnPError></detail></s:Fault>`)
  assert.deepEqual(decodeAction(fault('718'), 'Act'), { type: 'fault', code: 718 })
  for (const document of [fault('lots'), envelope('<u:OtherResponse/>'), envelope(''), '<ActResponse/>', ''])
    assert.deepEqual(decodeAction(document, 'Act'), MALFORMED, document)
})

test('no answer makes it throw', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 200 }), (text) => {
      decodeSearchAnswer(fromString(text))
      decodeDescription(text, FROM)
      decodeAction(text, 'Act')
    }),
  )
})
