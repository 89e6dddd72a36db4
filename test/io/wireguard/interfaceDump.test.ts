import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { toString as toText } from 'uint8arrays'
import { parseInterfaceDump, parsePresharedKeys } from '../../../src/io/wireguard/interfaceDump.js'
import { WireGuardError } from '../../../src/io/wireguard/wireguardError.js'

const PRIVATE = 'YH2heHM1hHF4yjL9U6o/qYCwl4reJ2EY0XqW3d7W5Eo='
const PUBLIC = 'S/NvPDSrmeL120lTzBHvNrkuTAKFLxl6TVnnj6RIuE8='
const PEER = '3x31kWGqR0YZLgBac6qIe5fJAEzK3HVha+Z7ZdHd7wc='
const OTHER = 'u2oRF94nuoU7C2NkJYvnBwD8vN2DNZthI1yAXFLrUCg='
const PRESHARED = 'Q854AjI11ZvqUVAiJAEBdLbUWsRaw/Yq+jwCb9+YQ+Q='

describe('the dump of an interface', () => {
  it('is read with everything set', () => {
    const text = dump(
      [PRIVATE, PUBLIC, '51820', '0xca6c'],
      [PEER, PRESHARED, '203.0.113.9:99', '10.0.0.1/32,fd00::/64', '1700000000', '1', '148', '25'],
      [OTHER, '(none)', '[2001:db8::1]:33', '0.0.0.0/0', '0', '0', '0', 'off'],
    )
    const { privateKey, ...rest } = parseInterfaceDump('wg0', text)
    assert.equal(toText(privateKey, 'base64pad'), PRIVATE)
    assert.deepEqual(rest, {
      name: 'wg0',
      publicKey: PUBLIC,
      listenPort: 51820,
      fwmark: 0xca6c,
      peers: [
        {
          publicKey: PEER,
          endpoint: { ip: '203.0.113.9', port: 99 },
          zonedEndpoint: undefined,
          allowedIps: [
            { ip: '10.0.0.1', length: 32 },
            { ip: 'fd00::', length: 64 },
          ],
          latestHandshake: 1_700_000_000_000,
          rxBytes: 1,
          txBytes: 148,
          persistentKeepalive: 25,
        },
        {
          publicKey: OTHER,
          endpoint: { ip: '2001:db8::1', port: 33 },
          zonedEndpoint: undefined,
          allowedIps: [{ ip: '0.0.0.0', length: 0 }],
          latestHandshake: undefined,
          rxBytes: 0,
          txBytes: 0,
          persistentKeepalive: undefined,
        },
      ],
    })
    assert.deepEqual([...parsePresharedKeys(text)], [[PEER, PRESHARED]])
  })

  it('is read with nothing set, and with a link-local endpoint', () => {
    const { fwmark, peers } = parseInterfaceDump(
      'wg0',
      dump(
        [PRIVATE, PUBLIC, '0', 'off'],
        [PEER, '(none)', '(none)', '(none)', '0', '0', '0', 'off'],
        [OTHER, '(none)', '[fe80::1%eth0]:33', '(none)', '0', '0', '0', 'off'],
      ),
    )
    assert.equal(fwmark, 0)
    assert.deepEqual(
      peers.map(({ endpoint, zonedEndpoint, allowedIps }) => ({ endpoint, zonedEndpoint, allowedIps })),
      [
        { endpoint: undefined, zonedEndpoint: undefined, allowedIps: [] },
        { endpoint: undefined, zonedEndpoint: '[fe80::1%eth0]:33', allowedIps: [] },
      ],
    )
  })

  it('without a private key says so, and how to set one', () => {
    assert.throws(() => parseInterfaceDump('wg0', dump(['(none)', '(none)', '0', 'off'])), {
      kind: 'no-private-key',
      message: 'wg0 has no private key: set one with "wg set wg0 private-key <file>"',
    })
  })

  for (const [flaw, line] of [
    ['too few fields', [PEER, '(none)', '(none)', '(none)', '0', '0', '0']],
    ['too many fields', [PEER, '(none)', '(none)', '(none)', '0', '0', '0', 'off', '']],
    ['a key cut short', [PEER.slice(1), '(none)', '(none)', '(none)', '0', '0', '0', 'off']],
    ['an endpoint that is none', [PEER, '(none)', 'example', '(none)', '0', '0', '0', 'off']],
    ['an endpoint with port 0', [PEER, '(none)', '192.0.2.1:0', '(none)', '0', '0', '0', 'off']],
    ['a prefix too long', [PEER, '(none)', '(none)', '10.0.0.0/33', '0', '0', '0', 'off']],
    ['a handshake before time', [PEER, '(none)', '(none)', '(none)', '-1', '0', '0', 'off']],
    ['a counter that is no number', [PEER, '(none)', '(none)', '(none)', '0', 'x', '0', 'off']],
    ['a keepalive too large', [PEER, '(none)', '(none)', '(none)', '0', '0', '0', '65536']],
  ] as const)
    it(`with ${flaw} names the line and shows none of it`, () => {
      const text = dump([PRIVATE, PUBLIC, '1', 'off'], line)
      assert.throws(() => parseInterfaceDump('wg0', text), {
        kind: 'not-understood',
        message:
          '"wg show wg0 dump" printed a line 2 that is not understood: is wireguard-tools newer than this program?',
      })
    })

  it('cut or changed anywhere gives a result or a WireGuardError that holds no secret', () => {
    const text = dump(
      [PRIVATE, PUBLIC, '51820', '0xca6c'],
      [PEER, PRESHARED, '203.0.113.9:99', '10.0.0.1/32', '1700000000', '1', '148', '25'],
    )
    fc.assert(
      fc.property(fc.nat(text.length), fc.string(), fc.nat(20), (at, inserted, removed) => {
        try {
          parseInterfaceDump('wg0', text.slice(0, at) + inserted + text.slice(at + removed))
        } catch (error) {
          assert.ok(error instanceof WireGuardError)
          assert.ok(!error.message.includes(PRIVATE.slice(8, 20)))
          assert.ok(!error.message.includes(PRESHARED.slice(8, 20)))
        }
      }),
    )
  })
})

function dump(...lines: readonly (readonly string[])[]): string {
  return lines.map((fields) => `${fields.join('\t')}\n`).join('')
}
