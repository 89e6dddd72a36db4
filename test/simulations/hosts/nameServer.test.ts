import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HostClock } from '../../../simulations/hosts/clock.js'
import { NameServer } from '../../../simulations/hosts/nameServer.js'
import { EventQueue } from '../../../simulations/network/eventQueue.js'
import type { Input } from '../../../src/engine/inputs.js'

test('a simulated name server answers after a while, by what holds then, and counts questions', () => {
  const queue = new EventQueue(0, 0)
  const clock = new HostClock(queue)
  const names = new NameServer()
  const told: Input[] = []
  const ask = (): void => names.resolve('a.lab', clock, (input) => told.push(input))
  names.set('a.lab', ['192.0.2.1'], 5_000)
  ask()
  assert.deepEqual(told, [])
  names.set('a.lab', ['192.0.2.2'])
  queue.run(names.delayMs)
  assert.deepEqual(told.pop(), {
    type: 'name-resolved',
    name: 'a.lab',
    ips: ['192.0.2.2'],
    ttlMs: undefined,
  })
  names.answers = false
  ask()
  queue.run(names.delayMs)
  assert.deepEqual(told.pop(), { type: 'name-failed', name: 'a.lab', reason: 'no name server answers' })
  assert.equal(names.countOf('a.lab'), 2)
})
