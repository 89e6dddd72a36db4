/** What crosses the internet, as somebody on the way sees it. */

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { peerIdFromString } from '@libp2p/peer-id'
import { ipToBytes } from '../../src/base/address.js'
import { publicKeyBytes } from '../../src/base/publicKey.js'
import { wireguardType } from '../../src/wire/wireguard.js'
import { Fleet, type Machine } from './fleet.js'
import { Laboratory } from './laboratory.js'
import type { CapturedPacket } from './pcap.js'

let lab: Laboratory
let fleet: Fleet
let alice: Machine
let bob: Machine
/** From before anything began until Alice and Bob have pinged each other: on the internet, and on their loopback devices. */
let internet: CapturedPacket[]
let atAlice: CapturedPacket[]
let atBob: CapturedPacket[]

before(async () => {
  lab = await Laboratory.create()
  const onInternet = await lab.capture()
  fleet = await Fleet.create(lab, { alice: 'port-restricted', bob: 'address-restricted' })
  alice = fleet.machine('alice')
  bob = fleet.machine('bob')
  const captures = await Promise.all([alice.host.capture('lo'), bob.host.capture('lo')])
  await fleet.start()
  assert.equal((await alice.host.ping(bob.tunnelAddress, { count: 10, intervalMs: 50 })).received, 10)
  assert.equal((await bob.host.ping(alice.tunnelAddress, { count: 10, intervalMs: 50 })).received, 10)
  ;[internet, atAlice, atBob] = (await Promise.all([onInternet, ...captures].map((each) => each.stop()))) as [
    CapturedPacket[],
    CapturedPacket[],
    CapturedPacket[],
  ]
})

after(() => lab.close())

describe('What one WireGuard sends', () => {
  test('is what crosses the internet, and what reaches the other one, byte for byte', async () => {
    const [alicesPort, bobsPort] = await Promise.all([
      alice.wireguard.listenPort(),
      bob.wireguard.listenPort(),
    ])
    const sentByAlice = messages(atAlice, ({ source }) => source.port === alicesPort)
    const heardByAlice = messages(atAlice, ({ destination }) => destination.port === alicesPort)
    const sentByBob = messages(atBob, ({ source }) => source.port === bobsPort)
    const heardByBob = messages(atBob, ({ destination }) => destination.port === bobsPort)
    assert.ok(sentByAlice.length >= 20 && sentByBob.length >= 20)
    assert.deepEqual(heardByBob, sentByAlice)
    assert.deepEqual(heardByAlice, sentByBob)
    assert.deepEqual(
      messages(internet, () => true),
      [...sentByAlice, ...sentByBob].sort(),
    )
  })
})

describe('Nobody on the way can read', () => {
  /** All packets with their headers, and again what one connection carried one way, in one piece. */
  const crossed = (): Buffer => {
    const flows = new Map<string, Uint8Array[]>()
    for (const { transport } of internet) {
      if (transport === undefined) continue
      const flow = JSON.stringify([transport.source, transport.destination])
      flows.set(flow, [...(flows.get(flow) ?? []), transport.payload])
    }
    return Buffer.concat([...internet.map(({ bytes }) => bytes), ...[...flows.values()].flat()])
  }

  test('(what is sent in the open is found, when looked for like this)', () => {
    assert.ok(crossed().includes('/multistream/1.0.0'))
  })

  test("a machine's WireGuard key", () => {
    for (const { wireguard } of fleet.machines) {
      const key = Buffer.from(publicKeyBytes(wireguard.keys.publicKey))
      assertAbsent([
        key,
        key.toString('base64').replace(/=$/, ''),
        key.toString('base64url'),
        key.toString('hex'),
      ])
    }
  })

  test("a machine's libp2p identity", async () => {
    for (const { daemon } of fleet.machines) {
      const { peerId } = await daemon.status()
      // An Ed25519 key's identity is the key itself: its last 32 bytes (libp2p's peer id specification).
      const key = Buffer.from(peerIdFromString(peerId).toMultihash().digest.slice(-32))
      assertAbsent([peerId, key, key.toString('base64').replace(/=$/, ''), key.toString('hex')])
    }
  })

  test("a machine's address on its LAN, or in the tunnel", () => {
    for (const { host, tunnelAddress } of fleet.machines)
      for (const address of [host.address, tunnelAddress])
        assertAbsent([address, Buffer.from(ipToBytes(address))])
  })

  function assertAbsent(forms: readonly (string | Buffer)[]): void {
    const all = crossed()
    for (const form of forms) {
      const betrayers = internet.filter(({ bytes }) => Buffer.from(bytes).includes(form))
      assert.deepEqual(betrayers.map(describePacket), [])
      assert.ok(!all.includes(form), `it is readable in what a connection carried: ${String(form)}`)
    }
  }
})

/** Enough of a packet to find out who sent it. */
function describePacket({ timeMs, bytes, transport }: CapturedPacket): string {
  const ends =
    transport &&
    [transport.protocol, transport.source, transport.destination].map((end) => JSON.stringify(end))
  return `${timeMs} ${ends?.join(' ') ?? ''} ${Buffer.from(bytes).toString('hex')}`
}

/** WireGuard's messages among the packets, in hexadecimal and sorted. */
function messages(
  packets: readonly CapturedPacket[],
  belongs: (transport: NonNullable<CapturedPacket['transport']>) => boolean,
): string[] {
  return packets
    .flatMap(({ transport }) =>
      transport?.protocol === 'udp' && wireguardType(transport.payload) !== undefined && belongs(transport)
        ? [Buffer.from(transport.payload).toString('hex')]
        : [],
    )
    .sort()
}
