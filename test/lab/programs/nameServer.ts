/**
 * A small name server: answers A and AAAA over UDP from a JSON file that is read anew for each question, so that a test
 * can change it. Prints `ready`.
 *
 *     { "names": { "server.lab": { "ips": ["203.0.113.10"], "ttlS": 5 } }, "silent": false }
 */

import { createSocket } from 'node:dgram'
import { readFileSync } from 'node:fs'
import { type Answer, AUTHORITATIVE_ANSWER, decode, encode } from 'dns-packet'
import { familyOf } from '../../../src/base/address.js'

export interface NameServerFile {
  readonly names: Readonly<Record<string, { readonly ips: readonly string[]; readonly ttlS: number }>>
  /** True where it answers nothing at all. */
  readonly silent?: boolean
}

/** RFC 1035 section 4.1.1: name error. */
const NAME_ERROR = 3

if (process.argv[2] !== undefined) serve(process.argv[2])

function serve(file: string): void {
  const socket = createSocket('udp4')
  socket.on('message', (bytes, { address, port }) => {
    const { names, silent } = JSON.parse(readFileSync(file, 'utf8')) as NameServerFile
    const { id, questions } = decode(bytes)
    const [question] = questions ?? []
    if (silent === true || question === undefined) return
    const entry = names[question.name.toLowerCase()]
    const family = question.type === 'A' ? 4 : 6
    const answers = (entry?.ips ?? [])
      .filter((ip) => familyOf(ip) === family)
      .map(
        (ip): Answer => ({
          type: family === 4 ? 'A' : 'AAAA',
          name: question.name,
          data: ip,
          ttl: entry?.ttlS ?? 0,
        }),
      )
    const flags = AUTHORITATIVE_ANSWER | (entry === undefined ? NAME_ERROR : 0)
    const answer = encode({ type: 'response', id: id ?? 0, flags, questions: [question], answers })
    socket.send(answer, port, address)
  })
  socket.bind(53, () => process.stdout.write('ready\n'))
}
