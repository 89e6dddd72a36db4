import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BootstrapLog } from '../../src/daemon/bootstrapLog.js'
import { recordingLogger } from './recordingLogger.js'

const multiaddr = '/ip4/203.0.113.1/tcp/51821'

test('each change of a bootstrap node is said once', () => {
  const { log, lines } = recordingLogger()
  const said = new BootstrapLog(log)
  said.tell([{ multiaddr, connected: false }])
  assert.deepEqual(lines, [])
  const refused = { multiaddr, connected: false, lastError: 'refused', nextTryInS: 3 }
  said.tell([refused])
  said.tell([{ ...refused, nextTryInS: 5 }])
  said.tell([{ multiaddr, connected: true }])
  said.tell([{ multiaddr, connected: true }])
  said.tell([refused])
  assert.deepEqual(
    lines.map(({ level, fields: { multiaddr, cause } }) => [level, multiaddr, cause]),
    [
      ['warn', multiaddr, 'refused'],
      ['info', multiaddr, undefined],
      ['warn', multiaddr, 'refused'],
    ],
  )
})

test('nodes are told apart', () => {
  const { log, lines } = recordingLogger()
  const said = new BootstrapLog(log)
  const nodes = ['/ip4/203.0.113.1/tcp/1', '/ip4/203.0.113.2/tcp/1'].map((multiaddr) => ({
    multiaddr,
    connected: true,
  }))
  said.tell(nodes)
  said.tell(nodes)
  assert.equal(lines.length, 2)
})
