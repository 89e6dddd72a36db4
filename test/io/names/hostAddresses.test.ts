import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type Answer, decode, encode } from 'dns-packet'
import { hostAddresses, type NameMeans } from '../../../src/io/names/hostAddresses.js'

const NAME_ERROR = 3
const SOON_MS = 20_000

/** What the name server has: answers of a family, none, or undefined where it is silent. */
interface Entry {
  readonly A?: readonly Answer[] | undefined
  readonly AAAA?: readonly Answer[] | undefined
}

let socket: Socket
let directory: string
let means: NameMeans
let asked: string[] = []
const entries = new Map<string, Entry>()

const four = (data: string, ttl: number): Answer => ({ type: 'A', name: 'x', data, ttl })
const six = (data: string, ttl: number): Answer => ({ type: 'AAAA', name: 'x', data, ttl })

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tunnelbore-names-'))
  const hostsFile = join(directory, 'hosts')
  await writeFile(hostsFile, '192.0.2.1 both.lab in-file.lab\n')
  socket = createSocket('udp4')
  socket.on('message', (bytes, { address, port }) => {
    const { id = 0, questions = [] } = decode(bytes)
    const [question] = questions
    if (question === undefined) return
    asked.push(question.name)
    const entry = entries.get(question.name)
    const family = question.type === 'A' ? 'A' : 'AAAA'
    const found = entry === undefined ? [] : entry[family]
    if (found === undefined) return
    const answers = found.map((answer) => ({ ...answer, name: question.name }) as Answer)
    const flags = entry === undefined ? NAME_ERROR : 0
    socket.send(encode({ type: 'response', id, flags, questions, answers }), port, address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  means = { hostsFile, nameServers: [`127.0.0.1:${socket.address().port}`] }
})

after(async () => {
  socket.close()
  await rm(directory, { recursive: true })
})

const resolve = (name: string, deadlineMs = SOON_MS, signal?: AbortSignal) =>
  hostAddresses(name, deadlineMs, signal, means)

describe('the addresses of a host', () => {
  it('come from the hosts file before anybody is asked', async () => {
    asked = []
    entries.set('both.lab', { A: [four('192.0.2.2', 60)], AAAA: [] })
    assert.deepEqual(await resolve('both.lab'), { ips: ['192.0.2.1'], ttlMs: undefined })
    assert.deepEqual(asked, [])
  })

  it('are of both families, with the shortest TTL', async () => {
    entries.set('two.lab', {
      A: [four('192.0.2.2', 90), four('192.0.2.3', 30)],
      AAAA: [six('2001:db8:0:0::2', 60)],
    })
    const { ips, ttlMs } = await resolve('two.lab')
    assert.deepEqual([...ips].sort(), ['192.0.2.2', '192.0.2.3', '2001:db8::2'])
    assert.equal(ttlMs, 30_000)
  })

  it('of one family are enough', async () => {
    entries.set('four.lab', { A: [four('192.0.2.2', 0)], AAAA: [] })
    assert.deepEqual(await resolve('four.lab'), { ips: ['192.0.2.2'], ttlMs: 0 })
    entries.set('six.lab', { A: [], AAAA: [six('2001:db8::2', 7)] })
    assert.deepEqual(await resolve('six.lab'), { ips: ['2001:db8::2'], ttlMs: 7_000 })
  })

  it('of one family do not wait long for a server that says nothing of the other', async () => {
    entries.set('half.lab', { A: [four('192.0.2.2', 5)], AAAA: undefined })
    assert.deepEqual(await resolve('half.lab'), { ips: ['192.0.2.2'], ttlMs: 5_000 })
  })

  it('that no name server knows may be known to the system', async () => {
    const { ips, ttlMs } = await resolve('localhost')
    assert.ok(ips.every((ip) => ip === '127.0.0.1' || ip === '::1') && ips.length > 0)
    assert.equal(ttlMs, undefined)
  })

  it('stand for themselves', async () => {
    assert.deepEqual(await resolve('2001:DB8::1', 0), { ips: ['2001:db8::1'], ttlMs: undefined })
  })
})

describe('a host that cannot be resolved', () => {
  it('because servers are silent is given up by the deadline', async () => {
    entries.set('silent.lab', { A: undefined, AAAA: undefined })
    await assert.rejects(resolve('silent.lab', 50), { message: 'no answer within 0.05 s' })
  })

  it('is given up when nobody wants it any more', async () => {
    entries.set('silent.lab', { A: undefined, AAAA: undefined })
    const stopping = new AbortController()
    const resolved = resolve('silent.lab', SOON_MS, stopping.signal)
    stopping.abort()
    await assert.rejects(resolved, { message: 'it is not asked for any more' })
    await assert.rejects(resolve('silent.lab', SOON_MS, AbortSignal.abort()), {
      message: 'it is not asked for any more',
    })
  })

  it('because its name cannot be is said', async () => {
    await assert.rejects(resolve(`${'a'.repeat(64)}.invalid`))
  })
})
