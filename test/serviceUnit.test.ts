import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { REPOSITORY } from './repository.js'

const UNIT = join(REPOSITORY, 'docs/systemd/tunnelbore@.service')

/** What `systemd-analyze security` calls exposed, times ten: of 100. */
const MOST_EXPOSED = 30

test('systemd takes the service for little exposed', () => {
  const args = ['security', '--offline=true', '--no-pager', `--threshold=${MOST_EXPOSED}`, UNIT]
  const { status, stdout, stderr } = spawnSync('systemd-analyze', args, { encoding: 'utf8' })
  assert.equal(status, 0, `${stdout}${stderr}`)
})

test('systemd finds nothing wrong with the service but that the program is not installed here', () => {
  const { stderr } = spawnSync('systemd-analyze', ['verify', UNIT], { encoding: 'utf8' })
  const complaints = stderr.split('\n').filter((line) => line.includes('tunnelbore'))
  assert.deepEqual(
    complaints.filter((line) => !line.includes('is not executable')),
    [],
  )
})

test('the service is ready when it says so, is watched, and always comes back', () => {
  const unit = readFileSync(UNIT, 'utf8')
  for (const line of ['Type=notify', 'Restart=always']) assert(unit.split('\n').includes(line), line)
  assert.match(unit, /^WatchdogSec=\d+$/m)
})
