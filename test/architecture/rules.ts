/**
 * The rules that the sources keep. Each takes sources by their path from the repository's top, and gives one line for
 * each place that breaks it: `src/wire/stun.ts:12: …`.
 */

import { isBuiltin } from 'node:module'
import { posix } from 'node:path'
import { lineAt, readSource, type SourceText } from './sourceText.js'

export type Sources = ReadonlyMap<string, string>

/** Each imports only those before it. `src/index.ts` stands after all of them. */
const LAYERS = ['base', 'wire', 'crypto', 'engine', 'io', 'daemon', 'cli']

/** In these, time and randomness are arguments. */
const PURE_LAYERS = ['base', 'wire', 'crypto', 'engine']

/** What the pure layers may take from outside: packages without clock, randomness of their own, or I/O. */
const PURE_PACKAGES = [
  '@multiformats/multiaddr',
  '@noble/curves',
  '@noble/hashes',
  'ipaddr.js',
  'uint8arraylist',
  'uint8arrays',
]

const IMPURE = [
  ...['Date', 'performance', 'setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask'],
  ...['Promise', 'async', 'await', 'process', 'console', 'fetch', 'crypto', 'globalThis'],
]
/** As a name of its own: not a part of a longer one, nor a member of something. */
const IMPURE_NAME = new RegExp(`(?<![\\w$#]|(?<!\\.\\.)\\.)(?:${IMPURE.join('|')})(?![\\w$])`, 'g')
const OWN_RANDOMNESS = /\bMath\s*\.\s*random\b|\brandom(?:Bytes|Int|UUID|Fill|FillSync|SecretKey)\b/g
const UNFIT_OF_NODE_CRYPTO = /^(?:generate|check|webcrypto|subtle|getRandomValues|(?:scrypt|pbkdf2|hkdf)$)/

const NAMES_OF_NO_CONCERN = /^(?:utils?|helpers?|common|types?|misc|index)$/

/** Written by protons out of the .proto files, not by us. */
export function isGenerated(path: string): boolean {
  return /^src\/wire\/protobuf\/[^/]+\.ts$/.test(path)
}

/** Imports go to the left only, name files that exist, and stay in src/. */
export function layerViolations(sources: Sources): readonly string[] {
  return inOwnSources(sources, (path, { imports }) => {
    const layer = layerOf(path)
    if (layer === undefined) return [`${path}: stands in no layer`]
    return imports.flatMap(({ specifier, line }) => {
      const at = `${path}:${line}`
      if (specifier === undefined) return [`${at}: imports what is not written out`]
      const target = resolve(path, specifier)
      if (target === undefined) return []
      if (!sources.has(target)) return [`${at}: imports ${specifier}, which is no source of src/`]
      const targetLayer = layerOf(target)
      if (targetLayer === undefined || targetLayer <= layer) return []
      return [`${at}: ${nameOf(layer)} imports ${nameOf(targetLayer)} (${target})`]
    })
  })
}

/** No file imports itself by way of others, not even for a type. */
export function cycleViolations(sources: Sources): readonly string[] {
  const targets = new Map<string, readonly string[]>()
  for (const [path, text] of sources) {
    const resolved = readSource(text).imports.map(({ specifier = '' }) => resolve(path, specifier))
    targets.set(
      path,
      resolved.flatMap((target) => target ?? []),
    )
  }
  const violations: string[] = []
  const done = new Set<string>()
  const visit = (path: string, way: readonly string[]): void => {
    const seenAt = way.indexOf(path)
    if (seenAt >= 0) violations.push(`${[...way.slice(seenAt), path].join(' → ')}: an import cycle`)
    if (seenAt >= 0 || done.has(path)) return
    for (const target of targets.get(path) ?? []) visit(target, [...way, path])
    done.add(path)
  }
  for (const path of sources.keys()) visit(path, [])
  return violations
}

/** The pure layers have no clock, timer, randomness, concurrency or I/O of their own. */
export function purityViolations(sources: Sources): readonly string[] {
  return inOwnSources(sources, (path, { code, imports }) => {
    const layer = PURE_LAYERS.find((name) => path.startsWith(`src/${name}/`))
    if (layer === undefined) return []
    const words = [IMPURE_NAME, OWN_RANDOMNESS].flatMap((pattern) =>
      [...code.matchAll(pattern)].map(({ 0: word, index }) => `${path}:${lineAt(code, index)}: uses ${word}`),
    )
    const modules = imports.flatMap(({ specifier = '', names, line }) => {
      const at = `${path}:${line}`
      if (resolve(path, specifier) !== undefined) return []
      if (specifier === 'node:crypto' && layer === 'crypto') {
        return names
          .filter(({ exported }) => UNFIT_OF_NODE_CRYPTO.test(exported))
          .map(({ exported }) => `${at}: takes ${exported}, random or asynchronous, from node:crypto`)
      }
      if (isBuiltin(specifier)) return [`${at}: imports ${specifier}`]
      const isPure = PURE_PACKAGES.some((name) => specifier === name || specifier.startsWith(`${name}/`))
      return isPure ? [] : [`${at}: imports ${specifier}, which is not known to be pure`]
    })
    return [...words, ...modules]
  })
}

/** What is exported has a name. */
export function defaultExportViolations(sources: Sources): readonly string[] {
  return inOwnSources(sources, (path, { code }) =>
    [...code.matchAll(/\bexport\s+default\b|\bas\s+default\b/g)].map(
      ({ index }) => `${path}:${lineAt(code, index)}: a default export`,
    ),
  )
}

/** Deadlines are those of src/io/deadline.ts: the garbage collector takes Node's own. */
export function deadlineViolations(sources: Sources): readonly string[] {
  return inOwnSources(sources, (path, { code }) =>
    [...code.matchAll(/\bAbortSignal\s*\.\s*timeout\b/g)].map(
      ({ index }) => `${path}:${lineAt(code, index)}: a deadline that may be forgotten`,
    ),
  )
}

/** A file is named after its one concern. */
export function nameViolations(paths: Iterable<string>): readonly string[] {
  return [...paths].flatMap((path) => {
    if (path === 'src/index.ts') return []
    const named = path.split('/').map((part) => part.replace(/\..*$/, ''))
    return named.some((name) => NAMES_OF_NO_CONCERN.test(name)) ? [`${path}: named after no concern`] : []
  })
}

const UNTIL = /^( *)(?:export )?(?:async )?function until\b[\s\S]*?\n\1\}/gm
const PROMISE_OF_TIMEOUT =
  /\bnew\s+Promise\b\s*(?:<[^()]*>)?\(\s*\(?[\w\s,:]*\)?\s*=>\s*\{?\s*(?:return\s+|void\s+)?setTimeout\b/g
const OTHER_PAUSES = /\bpromisify\(\s*setTimeout\b|\bAtomics\s*\.\s*wait\b/g

/**
 * Tests wait for conditions, not for time: only a function named `until`, which asks for a condition again and again,
 * pauses. The benchmark, which measures over a time, is no test.
 */
export function sleepViolations(sources: Sources): readonly string[] {
  return inOwnSources(sources, (path, { code, imports }) => {
    if (path.startsWith('test/bench/')) return []
    const outside = code.replace(UNTIL, (text) => text.replace(/[^\n]/g, ' '))
    const pauses = [PROMISE_OF_TIMEOUT, OTHER_PAUSES]
    const byName = imports.filter(({ specifier }) => /^(?:node:)?timers\/promises$/.test(specifier ?? ''))
    for (const { names } of byName)
      for (const { local } of names) pauses.push(new RegExp(`\\b${local}\\s*[(.]`, 'g'))
    return [
      ...byName
        .filter(({ names }) => names.length === 0)
        .map(({ line }) => `${path}:${line}: takes timers/promises without naming what of it`),
      ...pauses.flatMap((pattern) =>
        [...outside.matchAll(pattern)].map(({ index }) => `${path}:${lineAt(outside, index)}: sleeps`),
      ),
    ]
  })
}

function inOwnSources(
  sources: Sources,
  rule: (path: string, source: SourceText) => readonly string[],
): readonly string[] {
  return [...sources].flatMap(([path, text]) => (isGenerated(path) ? [] : rule(path, readSource(text))))
}

/** A layer's place in the order; undefined for what stands in none. */
function layerOf(path: string): number | undefined {
  if (path === 'src/index.ts') return LAYERS.length
  const name = path === 'src/cli.ts' ? 'cli' : path.split('/')[1]
  const layer = LAYERS.indexOf(name ?? '')
  return layer < 0 ? undefined : layer
}

function nameOf(layer: number): string {
  return LAYERS[layer] ?? 'index.ts'
}

/** The source that a relative import names; undefined for a package or a module of Node. */
function resolve(importer: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined
  return posix.join(posix.dirname(importer), specifier).replace(/\.js$/, '.ts')
}
