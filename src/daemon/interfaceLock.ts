/**
 * One node an interface, whatever run directories they were given: two of them would set the peers' endpoints against
 * each other. An abstract unix socket (unix(7)) named after the interface is held as long as the node runs. It belongs to
 * the network namespace, as interfaces do, leaves no file behind, and the kernel lets go of it when its holder is killed.
 *
 * Whoever connects is told the holder's process id, and nothing else.
 */

import { once } from 'node:events'
import { createConnection, createServer, type Server } from 'node:net'
import { causeOf, codeOf, UserError } from '../base/userError.js'
import { within } from '../io/deadline.js'
import { AlreadyRunningError } from './control.js'

/** What a holder is given to say its process id. */
const ANSWER_MS = 1_000

export interface InterfaceLock {
  release(): Promise<void>
}

/** Takes the interface. Throws {@link AlreadyRunningError} where another node has it. */
export async function lockInterface(name: string): Promise<InterfaceLock> {
  const path = `\0tunnelbore/${name}`
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.end(String(process.pid), () => socket.destroy())
  })
  try {
    await listen(server, path)
  } catch (error) {
    if (codeOf(error) === 'EADDRINUSE') throw new AlreadyRunningError(name, await askHolder(path))
    throw new UserError(`cannot take the interface ${name} for this node: ${causeOf(error)}`)
  }
  return {
    async release() {
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    // It stays: later errors are connections that could not be accepted, and must not end the process.
    server.on('error', reject)
    server.listen(path, resolve)
  })
}

/** The holder's process id; undefined where it does not answer. */
async function askHolder(path: string): Promise<number | undefined> {
  const socket = createConnection(path)
  let answer = ''
  socket.setEncoding('utf8').on('data', (text: string) => {
    answer += text
  })
  try {
    await once(socket, 'end', { signal: within(ANSWER_MS) })
  } catch {
    return undefined
  } finally {
    socket.destroy()
  }
  return /^\d+$/.test(answer) ? Number(answer) : undefined
}
