/**
 * A stranger that sends what it likes to one address:
 *
 *     node strayDatagrams.js <ip> <port> <count> <seed> <file with captured payloads, in hexadecimal, one a line>
 *
 * First every captured payload as it is; then `count` datagrams, by turns random ones and captured ones with some bytes
 * changed, cut off or added. The same seed sends the same. Prints `sent` at the end.
 */

import { createSocket } from 'node:dgram'
import { readFileSync } from 'node:fs'

/** A receiver that shares a busy machine takes more than this; a faster sender would only fill its buffers. */
const BURST = 25
const BURST_MS = 1
const MAX_LENGTH = 1_500

const [ip = '', port = '', count = '', seed = '', file = ''] = process.argv.slice(2)
const captured = readFileSync(file, 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => Buffer.from(line, 'hex'))

/** Mulberry32 by Tommy Ettinger (public domain): small, and good enough to make rubbish. Whole numbers below `limit`. */
let state = Number(seed)
function below(limit: number): number {
  state = (state + 0x6d2b79f5) | 0
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
  return ((mixed ^ (mixed >>> 14)) >>> 0) % limit
}

function random(length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => below(256)))
}

function mutated(original: Buffer): Buffer {
  const copy = Buffer.from(original)
  for (let changes = 1 + below(4); changes > 0; changes--) copy.writeUInt8(below(256), below(copy.length))
  const fate = below(8)
  if (fate === 0) return copy.subarray(0, below(copy.length))
  return fate === 1 ? Buffer.concat([copy, random(below(64))]) : copy
}

function datagram(index: number): Buffer {
  const original = captured[below(captured.length)]
  return index % 2 === 0 || original === undefined ? random(below(MAX_LENGTH)) : mutated(original)
}

const socket = createSocket('udp4')
const send = (payload: Buffer): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.send(payload, Number(port), ip, (error) => (error === null ? resolve() : reject(error)))
  })
for (const payload of captured) await send(payload)
let sent = 0
let lastBurst: Promise<unknown> = Promise.resolve()
const bursts = setInterval(async () => {
  if (sent >= Number(count)) {
    clearInterval(bursts)
    await lastBurst
    process.stdout.write('sent\n')
    socket.close()
    return
  }
  const first = sent
  sent += BURST
  lastBurst = Promise.all(Array.from({ length: BURST }, (_, offset) => send(datagram(first + offset))))
}, BURST_MS)
