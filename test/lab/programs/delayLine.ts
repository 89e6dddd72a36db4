/**
 * A slow wire: passes every Ethernet frame between two TAP devices after a delay, in order, both ways.
 *
 *     node delayLine.js <device> <device> <milliseconds>
 *
 * The devices must exist. Prints `ready` once frames pass. A frame takes the delay at least, and up to about 1 ms more.
 * Address resolution (ARP, IPv6 neighbour discovery) passes at once: it belongs to the local link, which is not slow
 * where a long way is; else the first packet to each neighbour would pay for a round trip that no real path has.
 */

import { openSync, read, writeSync } from 'node:fs'
import koffi from 'koffi'

// linux/if_tun.h, linux/if.h
const TUNSETIFF = 0x400454ca
const IFF_TAP = 0x0002
const IFF_NO_PI = 0x1000
const IFREQ_LENGTH = 40
const IFNAMSIZ = 16
/** The devices offer no offloads, so the kernel hands over frames of their MTU (1500) with checksums filled in. */
const MAX_FRAME = 2048

const ETHERTYPE_ARP = 0x0806
const ETHERTYPE_IPV6 = 0x86dd
const PROTOCOL_ICMPV6 = 58
// RFC 4861, sections 4.3 and 4.4
const NEIGHBOUR_SOLICITATION = 135
const NEIGHBOUR_ADVERTISEMENT = 136
/** From the beginning of the Ethernet header. */
const IPV6_NEXT_HEADER_OFFSET = 14 + 6
const ICMPV6_TYPE_OFFSET = 14 + 40

const libc = koffi.load('libc.so.6')
const ioctl = libc.func('int ioctl(int fd, unsigned long request, ...)')

/** Attaches to a TAP device; gives a file descriptor on which each read takes one frame and each write sends one. */
function openTap(name: string): number {
  const fd = openSync('/dev/net/tun', 'r+')
  const ifreq = Buffer.alloc(IFREQ_LENGTH)
  ifreq.write(name, 'ascii')
  ifreq.writeUInt16LE(IFF_TAP | IFF_NO_PI, IFNAMSIZ)
  if (ioctl(fd, TUNSETIFF, 'void *', ifreq) < 0)
    throw new Error(`no TAP device ${name}: errno ${koffi.errno()}`)
  return fd
}

/** Passes frames one way. Reads block a thread of Node's pool each, which is cheap for the two of them. */
function passFrames(from: number, to: number, delayMs: number): void {
  const held: { readonly dueAt: number; readonly frame: Uint8Array }[] = []
  const release = (): void => {
    for (let first = held[0]; first !== undefined; first = held[0]) {
      const waitMs = first.dueAt - performance.now()
      if (waitMs > 0) {
        setTimeout(release, waitMs)
        return
      }
      held.shift()
      writeSync(to, first.frame)
    }
  }
  const readNext = (): void => {
    const buffer = Buffer.allocUnsafe(MAX_FRAME)
    read(from, buffer, 0, MAX_FRAME, null, (error, length) => {
      if (error !== null) throw error
      const frame = buffer.subarray(0, length)
      if (isAddressResolution(frame)) writeSync(to, frame)
      else if (held.push({ dueAt: performance.now() + delayMs, frame }) === 1) release()
      readNext()
    })
  }
  readNext()
}

function isAddressResolution(frame: Buffer): boolean {
  const etherType = frame.readUInt16BE(12)
  if (etherType === ETHERTYPE_ARP) return true
  if (etherType !== ETHERTYPE_IPV6 || frame.length <= ICMPV6_TYPE_OFFSET) return false
  const type = frame[ICMPV6_TYPE_OFFSET]
  return (
    frame[IPV6_NEXT_HEADER_OFFSET] === PROTOCOL_ICMPV6 &&
    (type === NEIGHBOUR_SOLICITATION || type === NEIGHBOUR_ADVERTISEMENT)
  )
}

const [nearName = '', farName = '', delay = ''] = process.argv.slice(2)
const near = openTap(nearName)
const far = openTap(farName)
passFrames(near, far, Number(delay))
passFrames(far, near, Number(delay))
process.stdout.write('ready\n')
