import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { canonicalIp } from '../../../src/base/address.js'
import { addressesIn, addressesInHostsFile } from '../../../src/io/names/hostsFile.js'

const TEXT = `
# 192.0.2.1 commented.lab
192.0.2.7	Server.lab server  # not other.lab
2001:DB8::7 server.lab
192.0.2.7 server.lab
fe80::1%eth0 server.lab
nonsense server.lab
192.0.2.9
`

describe('a hosts file', () => {
  it('says where a name leads, in either case and in full', () => {
    assert.deepEqual(addressesIn(TEXT, 'server.lab'), ['192.0.2.7', '2001:db8::7'])
    assert.deepEqual(addressesIn(TEXT, 'SERVER.LAB.'), ['192.0.2.7', '2001:db8::7'])
    assert.deepEqual(addressesIn(TEXT, 'server'), ['192.0.2.7'])
  })

  it('says nothing of other names, nor in comments', () => {
    for (const name of ['other.lab', 'commented.lab', 'lab', '192.0.2.9', ''])
      assert.deepEqual(addressesIn(TEXT, name), [], name)
  })

  it('of any text gives canonical addresses at most', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (text, name) => {
        for (const ip of addressesIn(text, name)) assert.equal(canonicalIp(ip), ip)
      }),
    )
  })

  it('that is not there says nothing', async () => {
    assert.deepEqual(await addressesInHostsFile('server.lab', '/nonexistent/hosts'), [])
  })
})
