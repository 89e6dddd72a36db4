import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { childText, descendants, escapeXml, MAX_XML_LENGTH, parseXml } from '../../src/wire/xml.js'

test('elements, their text and their children are read, without prefixes and attributes', () => {
  const document = `<?xml version="1.0"?>
    <!-- a router -->
    <u:root xmlns:u="urn:x" a='1'><u:a>one &amp; &#x74;wo</u:a><b/><c b="2"><![CDATA[<raw>]]></c></u:root>`
  const root = parseXml(document)
  assert.ok(root !== undefined)
  assert.equal(root.name, 'root')
  assert.deepEqual(
    root.children.map(({ name, text }) => [name, text]),
    [
      ['a', 'one & two'],
      ['b', ''],
      ['c', '<raw>'],
    ],
  )
  assert.equal(childText(root, 'a'), 'one & two')
  assert.equal(childText(root, 'z'), undefined)
})

test('descendants are found at any depth, in order', () => {
  const root = parseXml('<r><x>1</x><y><x>2</x></y><x>3</x></r>')
  assert.ok(root !== undefined)
  assert.deepEqual(
    descendants(root, 'x').map(({ text }) => text),
    ['1', '2', '3'],
  )
})

test('what is malformed, of two roots, or defines entities is refused', () => {
  for (const document of [
    '',
    'text',
    '<a>',
    '</a>',
    '<a></b>',
    '<a><b></a></b>',
    '<a/><b/>',
    '<a/>text',
    '<a',
    '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
    '<a><!-- ',
  ])
    assert.equal(parseXml(document), undefined, document)
})

test('what is too long, too deep or of too many elements is refused', () => {
  assert.equal(parseXml(`<a>${' '.repeat(MAX_XML_LENGTH)}</a>`), undefined)
  assert.equal(parseXml('<a>'.repeat(100) + '</a>'.repeat(100)), undefined)
  assert.equal(parseXml(`<a>${'<b/>'.repeat(5_000)}</a>`), undefined)
})

test('any text survives being written and read', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      assert.equal(parseXml(`<a>${escapeXml(text)}</a>`)?.text, text.trim())
    }),
  )
})

test('no text makes it throw', () => {
  const parts = fc.constantFrom(
    '<',
    '>',
    '/',
    'a',
    ' ',
    '<a>',
    '</a>',
    '<!--',
    '-->',
    '<![CDATA[',
    ']]>',
    '&#',
    ';',
    '"',
  )
  fc.assert(fc.property(fc.array(parts, { maxLength: 60 }), (text) => void parseXml(text.join(''))))
})
