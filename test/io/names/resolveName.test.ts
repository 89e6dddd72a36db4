import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { resolveName } from '../../../src/io/names/resolveName.js'

describe('names of hosts', () => {
  it('that are addresses stand for themselves', async () => {
    assert.deepEqual(await resolveName('192.0.2.1', 3478, 0), [{ ip: '192.0.2.1', port: 3478 }])
    assert.deepEqual(await resolveName('2001:DB8:0::1', 3478, 0), [{ ip: '2001:db8::1', port: 3478 }])
  })

  it('are resolved to addresses', async () => {
    const found = await resolveName('localhost', 3478, 10_000)
    assert.ok(found.length > 0)
    for (const { ip, port } of found) {
      assert.match(ip, /^(127\.0\.0\.1|::1)$/)
      assert.equal(port, 3478)
    }
  })

  it('that are not resolved in time are given up', async () => {
    await assert.rejects(resolveName('localhost', 3478, 0), {
      message: 'the name localhost could not be resolved: no answer within 0 s',
    })
  })

  it('that no resolver would take are refused with their name', async () => {
    const name = `${'a'.repeat(64)}.invalid`
    await assert.rejects(resolveName(name, 3478, 10_000), (error: Error) =>
      error.message.startsWith(`the name ${name} could not be resolved: `),
    )
  })
})
