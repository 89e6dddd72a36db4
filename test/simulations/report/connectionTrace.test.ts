import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ConnectionTrace } from '../../../simulations/report/connectionTrace.js'
import { tellStory } from './connectionStory.js'

describe('the trace of a connection', () => {
  it('tells what was said between whom, in its order, and nothing of others', () => {
    const connection = tellStory().connection
    assert.ok(connection !== undefined)
    assert.deepEqual(
      connection.ends.map(({ name }) => name),
      ['ana', 'ben'],
    )
    assert.equal(connection.answeredMs, 345)
    assert.deepEqual(
      connection.steps.map(({ atMs, from, to, what, tookMs }) => [atMs, from, to, what, tookMs]),
      [
        [0, 'wireguardA', 'tunnelboreA', 'first message', 0],
        [0, 'tunnelboreA', 'mesh', 'look-up of ben', 0],
        [0, 'tunnelboreA', 'mesh', 'where am I?', 0],
        [40, 'mesh', 'tunnelboreA', 'you are 203.0.113.1:40001', 0],
        [45, 'mesh', 'tunnelboreA', 'its record', 0],
        [45, 'tunnelboreA', 'mesh', 'knock on ben, with the own record', 0],
        [45, 'tunnelboreA', 'tunnelboreB', 'check, holds a first message', 50],
        [45, 'mesh', 'tunnelboreA', 'that is all', 0],
        [70, 'mesh', 'tunnelboreB', 'knock from ana', 0],
        [70, 'tunnelboreB', 'tunnelboreA', 'check', undefined],
        [70, 'tunnelboreB', 'tunnelboreA', 'check', undefined],
        [70, 'tunnelboreB', 'mesh', 'answer, with a fresh record', 0],
        [95, 'tunnelboreB', 'tunnelboreA', 'answer to the check', 50],
        [110, 'mesh', 'tunnelboreA', 'answer to the knock, with a fresh record', 0],
        [145, 'tunnelboreA', 'tunnelboreB', 'first message', 50],
        [195, 'tunnelboreB', 'wireguardB', 'first message', 0],
        [195, 'wireguardB', 'tunnelboreB', 'second message', 0],
        [195, 'tunnelboreB', 'tunnelboreA', 'second message', 50],
        [245, 'tunnelboreA', 'wireguardA', 'second message', 0],
        [245, 'wireguardA', 'tunnelboreA', 'data', 0],
        [245, 'tunnelboreA', 'tunnelboreB', 'data', 50],
        [295, 'tunnelboreB', 'wireguardB', 'data', 0],
        [295, 'wireguardB', 'tunnelboreB', 'data', 0],
        [295, 'tunnelboreB', 'tunnelboreA', 'data', 50],
        [345, 'tunnelboreA', 'wireguardA', 'data', 0],
      ],
    )
  })

  it('is none where nobody wanted a connection', () => {
    const trace = new ConnectionTrace({ elapsed: () => 0, hosts: () => [] })
    assert.equal(trace.connection, undefined)
  })
})
