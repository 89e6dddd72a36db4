/**
 * As much of XML as gateways speak in UPnP: elements and their text, without attributes and namespaces. It comes from
 * whatever answers in the LAN, so it is bounded, and document types, with which entities are defined, are refused.
 */

export interface XmlElement {
  /** Without the prefix of its namespace. */
  readonly name: string
  /** Its own text, without that of its children, trimmed. */
  readonly text: string
  readonly children: readonly XmlElement[]
}

/** In characters. What home routers describe of themselves is a tenth of it. */
export const MAX_XML_LENGTH = 64 * 1024
const MAX_DEPTH = 32
const MAX_ELEMENTS = 2_048

interface OpenElement {
  readonly name: string
  text: string
  readonly children: XmlElement[]
}

/** Comments, processing instructions, CDATA, end tags, start tags: whatever begins with `<`. Text is what is between. */
const MARKUP =
  /<!--[\s\S]*?-->|<\?[\s\S]*?\?>|<!\[CDATA\[([\s\S]*?)\]\]>|<\/([^\s<>/]+)\s*>|<([^\s<>/!?]+)(?:\s[^<>]*?)?(\/?)>/y

/** The root of a document; undefined where that is malformed, or larger or deeper than allowed. */
export function parseXml(document: string): XmlElement | undefined {
  if (document.length > MAX_XML_LENGTH) return undefined
  const top: OpenElement = { name: '', text: '', children: [] }
  const open: OpenElement[] = [top]
  let elements = 0
  for (let at = 0; at < document.length; ) {
    const current = open.at(-1)
    if (current === undefined) return undefined
    const next = document.indexOf('<', at)
    const end = next === -1 ? document.length : next
    if (end > at) current.text += unescaped(document.slice(at, end))
    if (next === -1) break
    MARKUP.lastIndex = next
    const match = MARKUP.exec(document)
    if (match === null) return undefined
    at = MARKUP.lastIndex
    const [, verbatim, ended, begun, isEmpty] = match
    if (verbatim !== undefined) current.text += verbatim
    if (begun !== undefined) {
      elements += 1
      if (elements > MAX_ELEMENTS || open.length > MAX_DEPTH) return undefined
      open.push({ name: begun, text: '', children: [] })
    }
    if (ended === undefined && (begun === undefined || isEmpty === '')) continue
    const done = open.pop()
    if (done === undefined || done === top || (ended !== undefined && done.name !== ended)) return undefined
    open
      .at(-1)
      ?.children.push({ name: localName(done.name), text: done.text.trim(), children: done.children })
  }
  const [root, ...others] = top.children
  return open.length === 1 && others.length === 0 && top.text.trim() === '' ? root : undefined
}

/** All elements of a name below (and not at) `element`, in the order of the document. */
export function descendants(element: XmlElement, name: string): readonly XmlElement[] {
  return element.children.flatMap((child) => [
    ...(child.name === name ? [child] : []),
    ...descendants(child, name),
  ])
}

/** The text of the first child of a name; undefined where there is none. */
export function childText(element: XmlElement, name: string): string | undefined {
  return element.children.find((child) => child.name === name)?.text
}

/** Text as it stands in a document. */
export function escapeXml(text: string): string {
  return text.replace(/[<>&"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }

/** What is no entity stays as it is. */
function unescaped(text: string): string {
  return text.replace(
    /&(?:#(\d{1,7})|#x([0-9a-fA-F]{1,6})|(\w{2,4}));/g,
    (whole, decimal, hexadecimal, name) => {
      if (name !== undefined) return ENTITIES[name] ?? whole
      const code = decimal !== undefined ? Number(decimal) : Number.parseInt(hexadecimal, 16)
      return code <= 0x10ffff ? String.fromCodePoint(code) : whole
    },
  )
}

function localName(name: string): string {
  return name.slice(name.indexOf(':') + 1)
}
