import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { diagnose } from '../../src/cli/doctorCommand.js'
import { renderDiagnosis } from '../../src/cli/doctorTable.js'
import type { Diagnosis } from '../../src/daemon/finding.js'
import { holdControl } from '../daemon/holdControl.js'
import { SOUND } from '../daemon/soundMachine.js'
import { temporaryDirectory } from '../daemon/temporaryDirectory.js'
import { runCli } from './runCli.js'
import { sampleStatus } from './sampleStatus.js'

test('all is well as long as nothing has failed', () => {
  const notes = { ...SOUND, hasGlobalIpv6: false, canMark: false }
  assert.equal(diagnose(notes, [{ node: 'wg0', status: sampleStatus }]).ok, true)
  assert.equal(diagnose({ ...notes, hasIp: false }, []).ok, false)
  const silent = diagnose(SOUND, [{ node: 'wg0', status: 'the node wg0 does not answer' }])
  assert.equal(silent.ok, false)
  assert.match(renderDiagnosis(silent), /\nthe node of wg0\n {2}failure node: the node wg0 does not answer\n/)
})

test('each line has what mends it below', () => {
  const text = renderDiagnosis(diagnose({ ...SOUND, hasIp: false }, []))
  assert.match(text, /^this machine\n/)
  assert.match(text, /\n {2}failure ip: the tool ip was not found\n {10}→ install iproute2\n/)
  assert.match(text, /\nno node runs here[^\n]*\n$/)
})

test('doctor asks the nodes that run, prints JSON, and ends with the code that it says', async (t) => {
  const runDir = await temporaryDirectory(t)
  await holdControl(t, join(runDir, 'wg0.sock'))
  const { code, stdout, stderr } = await runCli('doctor', '--json', '--run-dir', runDir)
  const { ok, nodes } = JSON.parse(stdout) as Diagnosis
  assert.equal(stderr, '')
  assert.equal(code, ok ? 0 : 1)
  assert.deepEqual(
    nodes.map(({ node }) => node),
    ['wg0'],
  )
})
