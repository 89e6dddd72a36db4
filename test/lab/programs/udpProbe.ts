/** One UDP socket on a host, told what to send by its parent and telling what it receives. See ../udpProbe.ts. */

import { createSocket } from 'node:dgram'
import type { ProbeCommand, ProbeReport } from '../udpProbe.js'

const socket = createSocket(process.argv[2] === '6' ? 'udp6' : 'udp4')

function report(message: ProbeReport): void {
  process.send?.(message)
}

socket.on('message', (payload, { address: ip, port }) => {
  report({ type: 'received', from: { ip, port }, text: payload.toString('latin1') })
})
socket.bind(() => {
  report({ type: 'bound', port: socket.address().port })
})
process.on('message', ({ to, text }: ProbeCommand) => {
  socket.send(Buffer.from(text, 'latin1'), to.port, to.ip, (error) => {
    report(error === null ? { type: 'sent' } : { type: 'failed', why: error.message })
  })
})
process.on('disconnect', () => process.exit())
