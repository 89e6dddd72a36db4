/**
 * The control socket: HTTP over a unix socket, for `status`, `resolve` and `why`.
 *
 *     GET /status                → 200, Status
 *     GET /resolve?key=<key>     → 200, ResolvedRecord or null; the key in base64, URL-encoded
 *     GET /why?key=<key>         → 200, Explanation, or null for a key that is no peer
 *
 * Anything else is 4xx or 5xx with `{"error": "…"}`. Every answer carries the daemon's process id in a header, so that
 * whoever finds the socket taken can say by whom. The bound socket is also what keeps a second daemon off the
 * interface: it lives as long as the process, and a killed one's refuses connections.
 */

import { chmod, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { basename, dirname } from 'node:path'
import { type PublicKey, parsePublicKey } from '../base/publicKey.js'
import { causeOf, UserError } from '../base/userError.js'
import type { Explanation } from '../engine/why.js'
import { PID_HEADER, probe } from './controlClient.js'
import { BOOTSTRAP_NAME } from './nodeName.js'
import { prepareRunDirectory, withLock } from './runDirectory.js'
import type { ResolvedRecord, Status } from './status.js'

const MAX_CONNECTIONS = 32
const MAX_HEADER_BYTES = 4096
const REQUEST_TIMEOUT_MS = 5_000

/** What is asked of the node. */
export interface ControlHandlers {
  status(): Status | Promise<Status>
  /** Undefined where no record is found. The signal fires when the one who asked has gone. */
  resolve(key: PublicKey, signal: AbortSignal): Promise<ResolvedRecord | undefined>
  /** Undefined where the key is no peer of the interface. */
  why(key: PublicKey): Explanation | undefined | Promise<Explanation | undefined>
}

export interface ControlServer {
  /** Ends all connections and removes the socket. */
  close(): Promise<void>
}

/** Another daemon holds the control socket. */
export class AlreadyRunningError extends UserError {
  override readonly name = 'AlreadyRunningError'

  constructor(node: string, pid: number | undefined) {
    const who =
      node === BOOTSTRAP_NAME
        ? 'a bootstrap node already runs here'
        : `tunnelbore already runs beside ${node}`
    super(`${who} (${pid === undefined ? 'it does not answer' : `pid ${pid}`}); stop it first`)
  }
}

/**
 * Takes the control socket at `path` (see {@link controlSocketPath}) and answers on it. The directory is made if it is
 * not there, and the socket that a killed daemon left is replaced. Throws {@link AlreadyRunningError} if a living one
 * has it, and a UserError if it cannot be had.
 */
export async function serveControl(path: string, handlers: ControlHandlers): Promise<ControlServer> {
  await prepareRunDirectory(dirname(path))
  const server = createServer({ maxHeaderSize: MAX_HEADER_BYTES }, (request, response) => {
    answer(request, response, handlers).catch((error: unknown) =>
      reply(response, 500, { error: causeOf(error) }),
    )
  })
  server.maxConnections = MAX_CONNECTIONS
  server.headersTimeout = REQUEST_TIMEOUT_MS
  server.requestTimeout = REQUEST_TIMEOUT_MS
  server.on('clientError', (_error, socket) => socket.destroy())
  // Between the look at the socket and its replacement nobody else may take it.
  await withLock(dirname(path), async () => {
    const found = await probe(path)
    if (found.alive) throw new AlreadyRunningError(basename(path, '.sock'), found.pid)
    await rm(path, { force: true })
    await listen(server, path)
    await chmod(path, 0o600)
  })
  return {
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    // It stays: later errors are connections that could not be accepted, and must not end the process.
    server.on('error', (error) =>
      reject(
        new UserError(`cannot make the control socket ${path}: ${causeOf(error)}; give another --run-dir`),
      ),
    )
    server.listen(path, resolve)
  })
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  handlers: ControlHandlers,
): Promise<void> {
  if (request.method !== 'GET') return reply(response, 405, { error: 'only GET is served' })
  const [resource, query] = (request.url ?? '').split('?', 2)
  switch (resource) {
    case '/status':
      return reply(response, 200, await handlers.status())
    case '/resolve':
    case '/why': {
      const key = parsePublicKey(new URLSearchParams(query).get('key') ?? '')
      if (key === undefined) return reply(response, 400, { error: 'key is no WireGuard public key' })
      if (resource === '/why') return reply(response, 200, (await handlers.why(key)) ?? null)
      const gone = new AbortController()
      response.once('close', () => gone.abort())
      return reply(response, 200, (await handlers.resolve(key, gone.signal)) ?? null)
    }
    default:
      return reply(response, 404, { error: 'no such resource' })
  }
}

function reply(response: ServerResponse, code: number, body: unknown): void {
  if (response.headersSent || response.destroyed) return
  response.writeHead(code, {
    'content-type': 'application/json',
    connection: 'close',
    [PID_HEADER]: process.pid,
  })
  response.end(JSON.stringify(body))
}
