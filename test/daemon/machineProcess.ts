/**
 * A program that follows the network of its namespace: `node machineProcess.js <port> <tunnel> <taken ip>?`. On the
 * taken address another socket has the port. Prints a line of JSON for each input, each change and each line of the log.
 */

import { Machine } from '../../src/daemon/machine.js'
import { Tunnels } from '../../src/daemon/tunnels.js'
import { SharedSockets } from '../../src/io/sharedSockets.js'
import { bindUdpSocket } from '../../src/io/udpSocket.js'
import { recordingLogger } from './recordingLogger.js'

const [port = '', tunnel = '', takenIp] = process.argv.slice(2)
const print = (value: unknown): void => console.log(JSON.stringify(value))

if (takenIp !== undefined) bindUdpSocket({ ip: takenIp, port: Number(port) })
const shared = new SharedSockets(
  { port: Number(port), mark: 0 },
  { onDatagram: () => undefined, onSendError: () => undefined },
)
const { log } = recordingLogger(print)
const machine = new Machine(shared, new Tunnels(tunnel, log), print, () => print({ changed: true }), log)
try {
  await machine.start()
  print('started')
} catch (error) {
  print(String(error))
  process.exit()
}

// The end of the input asks for an orderly stop.
process.stdin.resume().once('end', async () => {
  await machine.stop()
  shared.close()
  process.exit()
})
