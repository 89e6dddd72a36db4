/**
 * Reading capture files: the classic pcap format (draft-ietf-opsawg-pcap) as `tcpdump -w` writes it.
 *
 *     file header    magic 0xa1b2c3d4 (4)  version (4)  reserved (8)  snapshot length (4)  link type (4)
 *     each packet    seconds (4)  microseconds (4)  captured length (4)  original length (4)  the captured bytes
 *
 * Numbers are in the byte order of the machine that wrote them; only little-endian ones are read.
 */

import { ipFromBytes, type SocketAddress } from '../../src/base/address.js'

/** One packet of a capture. */
export interface CapturedPacket {
  /** Unix time in milliseconds, to the microsecond. */
  readonly timeMs: number
  /** All of it, from the link layer's header on. */
  readonly bytes: Uint8Array
  /** What it carries, if that is UDP or TCP. A fragment other than a first one counts as neither. */
  readonly transport: CapturedTransport | undefined
}

export interface CapturedTransport {
  readonly protocol: 'udp' | 'tcp'
  readonly source: SocketAddress
  readonly destination: SocketAddress
  readonly payload: Uint8Array
}

const MAGIC = 0xa1b2c3d4
const FILE_HEADER = 24
const PACKET_HEADER = 16
const LINK_ETHERNET = 1
const LINK_RAW_IP = 101
const ETHERNET_HEADER = 14
const IPV6_HEADER = 40
const UDP_HEADER = 8

/** The packets of a file, in order. Throws an Error on a file of another kind; an unfinished packet at the end is left out. */
export function readPcap(file: Uint8Array): CapturedPacket[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  if (file.length < FILE_HEADER || view.getUint32(0, true) !== MAGIC)
    throw new Error('not a little-endian pcap file')
  const linkType = view.getUint32(20, true)
  if (linkType !== LINK_ETHERNET && linkType !== LINK_RAW_IP)
    throw new Error(`link type ${linkType} is not read here`)
  const ipOffset = linkType === LINK_ETHERNET ? ETHERNET_HEADER : 0
  const packets: CapturedPacket[] = []
  for (let at = FILE_HEADER; at + PACKET_HEADER <= file.length; ) {
    const timeMs = view.getUint32(at, true) * 1_000 + view.getUint32(at + 4, true) / 1_000
    const start = at + PACKET_HEADER
    at = start + view.getUint32(at + 8, true)
    if (at > file.length) break
    const bytes = file.subarray(start, at)
    packets.push({ timeMs, bytes, transport: readIp(bytes.subarray(ipOffset)) })
  }
  return packets
}

function readIp(packet: Uint8Array): CapturedTransport | undefined {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength)
  if (packet.length < 20) return undefined
  const version = view.getUint8(0) >> 4
  if (version === 4) {
    const headerLength = (view.getUint8(0) & 0x0f) * 4
    const fragmentOffset = view.getUint16(6) & 0x1fff
    if (fragmentOffset !== 0) return undefined
    // Ethernet pads short frames, so the end is told by the header. 0 is written for a packet to be segmented later.
    const end = view.getUint16(2) || packet.length
    return readTransport(
      view.getUint8(9),
      ipFromBytes(packet.subarray(12, 16)),
      ipFromBytes(packet.subarray(16, 20)),
      packet.subarray(headerLength, end),
    )
  }
  if (version !== 6 || packet.length < IPV6_HEADER) return undefined
  const payloadLength = view.getUint16(4)
  const end = payloadLength === 0 ? packet.length : IPV6_HEADER + payloadLength
  return readTransport(
    view.getUint8(6),
    ipFromBytes(packet.subarray(8, 24)),
    ipFromBytes(packet.subarray(24, 40)),
    packet.subarray(IPV6_HEADER, end),
  )
}

function readTransport(
  protocolNumber: number,
  sourceIp: string | undefined,
  destinationIp: string | undefined,
  segment: Uint8Array,
): CapturedTransport | undefined {
  const protocol = protocolNumber === 17 ? 'udp' : protocolNumber === 6 ? 'tcp' : undefined
  if (protocol === undefined || sourceIp === undefined || destinationIp === undefined) return undefined
  const view = new DataView(segment.buffer, segment.byteOffset, segment.byteLength)
  if (segment.length < (protocol === 'udp' ? UDP_HEADER : 20)) return undefined
  const headerLength = protocol === 'udp' ? UDP_HEADER : (view.getUint8(12) >> 4) * 4
  return {
    protocol,
    source: { ip: sourceIp, port: view.getUint16(0) },
    destination: { ip: destinationIp, port: view.getUint16(2) },
    payload: segment.subarray(headerLength),
  }
}
