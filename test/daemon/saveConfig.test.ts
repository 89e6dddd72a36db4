import assert from 'node:assert/strict'
import { test } from 'node:test'
import { savesConfig } from '../../src/daemon/saveConfig.js'

test('SaveConfig is found as wg-quick finds it, whatever its case, and not in a comment', () => {
  for (const line of ['SaveConfig = true', 'saveconfig=true', '  SaveConfig\t= true # by hand'])
    assert.ok(savesConfig(`[Interface]\n${line}\nListenPort = 51820\n`), line)
  for (const line of ['SaveConfig = false', '# SaveConfig = true', 'SaveConfig = true false', ''])
    assert.ok(!savesConfig(`[Interface]\n${line}\n`), line)
})
