import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Traffic } from '../../../simulations/scenarios/traffic.js'
import { data, first } from '../../engine/wireguardMessages.js'

describe('the traffic', () => {
  const from = { ip: '203.0.113.1', port: 1 }
  const to = { ip: '203.0.113.2', port: 2 }

  it('is counted for each sender, and in all', () => {
    const traffic = new Traffic(() => 0)
    for (let count = 0; count < 3; count++) traffic.sent('ana', { from, to, bytes: first(1), author: 'ana' })
    traffic.sent('ben', { from, to, bytes: data(1), author: 'ben' })
    assert.equal(traffic.of('ana'), 3)
    assert.equal(traffic.of('eve'), 0)
    const values = traffic.measurements.map((entry) => 'value' in entry && entry.value)
    assert.deepEqual(values, [4, 3 * 148 + 32, 3])
  })

  it('is a storm where a host sends too much in one second that is no data', () => {
    let now = 0
    const traffic = new Traffic(() => now)
    const send = (host: string, bytes: Uint8Array, count: number): void => {
      for (let sent = 0; sent < count; sent++) traffic.sent(host, { from, to, bytes, author: host })
    }
    for (now = 500; now < 10_000; now += 1_000) send('calm', first(1), 400)
    send('busy', data(1), 5_000)
    now = 12_300
    send('stormy', first(1), 401)
    send('server', first(1), 5_000)
    assert.deepEqual(traffic.calm(['calm', 'busy', 'stormy', 'silent']).broken, ['stormy sent 401 at 12 s'])
  })
})
