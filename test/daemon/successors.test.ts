import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RunningNode } from '../../src/daemon/runningNode.js'
import { SucceededError, startWithSuccessors } from '../../src/daemon/successors.js'
import { until } from '../until.js'
import { recordingLogger } from './recordingLogger.js'
import { settled } from './settled.js'

/** Nodes that do nothing but say what happens to them. */
function nodes() {
  const happened: string[] = []
  let fail: (reason: Error) => void = () => assert.fail()
  let refusals = 0
  const start = async (name: string): Promise<RunningNode> => {
    if (refusals-- > 0) throw new Error(`cannot start ${name}`)
    happened.push(`started ${name}`)
    return {
      stop: async () => void happened.push(`stopped ${name}`),
      failed: new Promise((resolve) => {
        fail = resolve
      }),
    }
  }
  return {
    happened,
    start,
    fail: async (reason: Error) => {
      fail(reason)
      await settled()
    },
    refuse: (count: number) => {
      refusals = count
    },
  }
}

async function running(againMs?: number) {
  const all = nodes()
  const { log, lines } = recordingLogger()
  const node = await startWithSuccessors('wg0', all.start, log, againMs)
  return { ...all, node, lines }
}

test('a node that is succeeded is stopped, and the next one started with the new name, again and again', async () => {
  const { happened, fail, node } = await running()
  await fail(new SucceededError('renamed', 'wg1'))
  await fail(new SucceededError('renamed', 'wg2'))
  await node.stop()
  assert.deepEqual(happened, [
    'started wg0',
    'stopped wg0',
    'started wg1',
    'stopped wg1',
    'started wg2',
    'stopped wg2',
  ])
})

test('a successor that cannot be started is tried again and again', async () => {
  const { happened, fail, refuse, lines, node } = await running(1)
  refuse(2)
  await fail(new SucceededError('another key', 'wg0'))
  assert.deepEqual(happened, ['started wg0', 'stopped wg0'])
  await until('the next start', () => happened.at(-1) === 'started wg0')
  await node.stop()
  assert.equal(lines.filter(({ message }) => message.includes('cannot start again')).length, 1)
})

test('what cannot be succeeded ends the node', async () => {
  const { happened, fail, node } = await running()
  await fail(new Error('broken'))
  assert.equal((await node.failed).message, 'broken')
  await node.stop()
  assert.deepEqual(happened, ['started wg0', 'stopped wg0'])
})

test('a stop between two nodes leaves none', async () => {
  const { happened, fail, refuse, node } = await running()
  refuse(1_000)
  await fail(new SucceededError('another key', 'wg0'))
  await node.stop()
  assert.deepEqual(happened, ['started wg0', 'stopped wg0'])
})

test('where the first one cannot be started, that is thrown', async () => {
  const { start, refuse } = nodes()
  refuse(1)
  await assert.rejects(startWithSuccessors('wg0', start, recordingLogger().log), /cannot start wg0/)
})
