import assert from 'node:assert/strict'
import { test } from 'node:test'
import { interfaceIndex, interfaceName } from '../../src/io/interfaceNames.js'

test('an interface has an index, by which its name is found', () => {
  const index = interfaceIndex('lo') ?? assert.fail()
  assert.equal(interfaceName(index), 'lo')
})

test('what is no interface has neither', () => {
  assert.equal(interfaceIndex('no such thing'), undefined)
  assert.equal(interfaceName(2 ** 31 - 1), undefined)
})
