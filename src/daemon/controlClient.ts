/** The other end of the control socket: what the command line asks of a running node. */

import { type IncomingMessage, request } from 'node:http'
import { basename } from 'node:path'
import type { PublicKey } from '../base/publicKey.js'
import { causeOf, codeOf, UserError } from '../base/userError.js'
import type { Explanation } from '../engine/why.js'
import { BOOTSTRAP_NAME } from './nodeName.js'
import type { ResolvedRecord, Status } from './status.js'

/** In every answer: the daemon's process id. */
export const PID_HEADER = 'tunnelbore-pid'

const STATUS_TIMEOUT_MS = 2_000
/** A look-up in the mesh is bounded by the daemon; this is for a daemon that hangs. */
const RESOLVE_TIMEOUT_MS = 30_000
const PROBE_TIMEOUT_MS = 1_000
const MAX_ANSWER_BYTES = 16 * 1024 * 1024

/** No daemon behind the socket: none was started, or it was killed. */
export class NotRunningError extends UserError {
  override readonly name = 'NotRunningError'

  constructor(node: string) {
    super(
      node === BOOTSTRAP_NAME
        ? 'no bootstrap node runs here; start it with: tunnelbore bootstrap'
        : `tunnelbore does not run beside ${node}; start it with: tunnelbore up ${node}`,
    )
  }
}

/** The status of the node behind the socket. Throws {@link NotRunningError}, or a UserError that says what failed. */
export async function askStatus(path: string): Promise<Status> {
  return (await ask(path, '/status', STATUS_TIMEOUT_MS)) as Status
}

/** Has the node behind the socket look a record up; undefined where there is none. Throws as {@link askStatus} does. */
export async function askResolve(path: string, key: PublicKey): Promise<ResolvedRecord | undefined> {
  const record = await ask(path, `/resolve?key=${encodeURIComponent(key)}`, RESOLVE_TIMEOUT_MS)
  return record === null ? undefined : (record as ResolvedRecord)
}

/** Why a peer of the node behind the socket is as it is; undefined where it is none. Throws as {@link askStatus} does. */
export async function askWhy(path: string, key: PublicKey): Promise<Explanation | undefined> {
  const explanation = await ask(path, `/why?key=${encodeURIComponent(key)}`, STATUS_TIMEOUT_MS)
  return explanation === null ? undefined : (explanation as Explanation)
}

/**
 * Whether a daemon listens on the socket, and its process id if it answers in time. One that is stopped or hangs is
 * alive: the kernel accepts for it.
 */
export async function probe(path: string): Promise<{ readonly alive: boolean; readonly pid?: number }> {
  try {
    const answer = await get(path, '/', PROBE_TIMEOUT_MS)
    const pid = Number(answer.headers[PID_HEADER])
    return Number.isInteger(pid) ? { alive: true, pid } : { alive: true }
  } catch (error) {
    return { alive: !isAbsent(error) }
  }
}

async function ask(path: string, resource: string, timeoutMs: number): Promise<unknown> {
  const node = basename(path, '.sock')
  let body: unknown
  let code: number | undefined
  try {
    const answer = await get(path, resource, timeoutMs)
    code = answer.code
    body = JSON.parse(answer.text)
  } catch (error) {
    if (isAbsent(error)) throw new NotRunningError(node)
    const mend =
      codeOf(error) === 'EACCES'
        ? 'run as the user that runs tunnelbore, or as root'
        : 'see its log, or restart it'
    throw new UserError(`the node ${node} does not answer: ${causeOf(error)}; ${mend}`)
  }
  if (code === 200) return body
  const said =
    typeof body === 'object' && body !== null && 'error' in body ? String(body.error) : `HTTP ${code}`
  throw new UserError(`the node ${node} refused: ${said}; see its log`)
}

/** Connecting found no socket, none that is listened on, or no socket at all under that name. */
function isAbsent(error: unknown): boolean {
  const code = codeOf(error)
  return code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTSOCK'
}

interface Answer {
  readonly code: number | undefined
  readonly headers: IncomingMessage['headers']
  readonly text: string
}

function get(path: string, resource: string, timeoutMs: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: path, path: resource, agent: false }, (response) => {
      const chunks: Buffer[] = []
      let length = 0
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        length += chunk.length
        if (length > MAX_ANSWER_BYTES) asked.destroy(new Error('its answer is too long'))
      })
      response.on('error', reject)
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        resolve({ code: response.statusCode, headers: response.headers, text })
      })
    })
    const deadline = setTimeout(
      () => asked.destroy(new Error(`nothing came within ${timeoutMs / 1000} s`)),
      timeoutMs,
    )
    asked.on('close', () => clearTimeout(deadline))
    asked.on('error', reject)
    asked.end()
  })
}
