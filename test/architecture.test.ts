/** The rules of the source tree, held against the tree, and each against a tree that breaks it. */

import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { danglingReferences } from './architecture/documents.js'
import {
  cycleViolations,
  deadlineViolations,
  defaultExportViolations,
  layerViolations,
  nameViolations,
  purityViolations,
  type Sources,
  sleepViolations,
} from './architecture/rules.js'
import { readSource } from './architecture/sourceText.js'
import { REPOSITORY } from './repository.js'

suite('the tree', () => {
  const src = read('src', '.ts')
  const test_ = read('test', '.ts')
  const simulations = read('simulations', '.ts')

  test('is read', () => {
    assert.ok(src.has('src/cli.ts') && src.has('src/wire/record.ts'))
    assert.ok(test_.has('test/architecture.test.ts'))
  })

  test('imports go from each layer to those on its left', () => {
    assert.deepEqual(layerViolations(src), [])
  })

  test('has no import cycle', () => {
    assert.deepEqual(cycleViolations(src), [])
  })

  test('base, wire, crypto and engine take time and randomness as arguments', () => {
    assert.deepEqual(purityViolations(src), [])
  })

  test('has no default exports', () => {
    assert.deepEqual(defaultExportViolations(new Map([...src, ...test_, ...simulations])), [])
  })

  test('deadlines outlive the garbage collector', () => {
    assert.deepEqual(deadlineViolations(src), [])
  })

  test('files are named after their concern', () => {
    assert.deepEqual(nameViolations([...src.keys(), ...test_.keys(), ...simulations.keys()]), [])
  })

  test('tests wait for conditions and do not sleep', () => {
    assert.deepEqual(sleepViolations(test_), [])
  })

  test('what the documents name exists', () => {
    const { scripts } = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8'))
    const exists = {
      path: (path: string) => existsSync(join(REPOSITORY, path)),
      script: (name: string) => name in scripts,
    }
    const documents = [...read('.', '.md', { recursive: false }), ...read('docs', '.md')]
    assert.deepEqual(
      documents.flatMap(([path, text]) => danglingReferences(path, text, exists)),
      [],
    )
  })
})

suite('the rules find', () => {
  const planted: readonly {
    readonly what: string
    readonly rule: (sources: Sources) => readonly string[]
    readonly sources: Readonly<Record<string, string>>
    readonly found: readonly string[]
  }[] = [
    {
      what: 'an import to the right, also for a type, of all forms',
      rule: layerViolations,
      sources: {
        'src/wire/a.ts': "import type { B } from '../engine/b.js'\n",
        'src/engine/b.ts':
          "import '../io/c.js'\nimport {\n  d,\n} from \"../daemon/d.js\"\nexport * from '../base/e.js'\n",
        'src/io/c.ts': "const c = await import('../cli.js')\nexport { d } from '../daemon/d.js'\n",
        'src/daemon/d.ts': "import { wire } from '../wire/a.js'\n",
        'src/base/e.ts': '',
        'src/cli.ts': "import './daemon/d.js'\n",
        'src/index.ts': "export { a } from './wire/a.js'\n",
      },
      found: [
        'src/wire/a.ts:1: wire imports engine (src/engine/b.ts)',
        'src/engine/b.ts:1: engine imports io (src/io/c.ts)',
        'src/engine/b.ts:4: engine imports daemon (src/daemon/d.ts)',
        'src/io/c.ts:1: io imports cli (src/cli.ts)',
        'src/io/c.ts:2: io imports daemon (src/daemon/d.ts)',
      ],
    },
    {
      what: 'an import of index.ts, of nothing, of what is outside, of something computed',
      rule: layerViolations,
      sources: {
        'src/index.ts': '',
        'src/cli.ts': "import './index.js'\nimport '../test/a.js'\nimport './gone.js'\nimport(name)\n",
      },
      found: [
        'src/cli.ts:1: cli imports index.ts (src/index.ts)',
        'src/cli.ts:2: imports ../test/a.js, which is no source of src/',
        'src/cli.ts:3: imports ./gone.js, which is no source of src/',
        'src/cli.ts:4: imports what is not written out',
      ],
    },
    {
      what: 'a file in no layer',
      rule: layerViolations,
      sources: { 'src/misc/a.ts': '', 'src/b.ts': '' },
      found: ['src/misc/a.ts: stands in no layer', 'src/b.ts: stands in no layer'],
    },
    {
      what: 'an import cycle',
      rule: cycleViolations,
      sources: {
        'src/base/a.ts': "import './b.js'\nimport './d.js'\n",
        'src/base/b.ts': "import type { C } from './c.js'\n",
        'src/base/c.ts': "import './b.js'\nimport './d.js'\n",
        'src/base/d.ts': '',
      },
      found: ['src/base/b.ts → src/base/c.ts → src/base/b.ts: an import cycle'],
    },
    {
      what: 'a clock, a timer, randomness and concurrency in a pure layer',
      rule: purityViolations,
      sources: {
        'src/engine/a.ts': [
          'const now = Date.now()',
          'setTimeout(f, 1)',
          `const x = \`\${performance.now()}\``,
          'const r = Math.random()',
          'async function f() {}',
          'const all = [...process.argv]',
          'const id = crypto.randomUUID()',
        ].join('\n'),
        'src/io/b.ts': 'await Promise.all([Date.now(), Math.random()])',
      },
      found: [
        'src/engine/a.ts:1: uses Date',
        'src/engine/a.ts:2: uses setTimeout',
        'src/engine/a.ts:3: uses performance',
        'src/engine/a.ts:5: uses async',
        'src/engine/a.ts:6: uses process',
        'src/engine/a.ts:7: uses crypto',
        'src/engine/a.ts:4: uses Math.random',
        'src/engine/a.ts:7: uses randomUUID',
      ],
    },
    {
      what: 'a module that a pure layer may not have',
      rule: purityViolations,
      sources: {
        'src/wire/a.ts':
          "import { createHash } from 'node:crypto'\nimport fs from 'fs'\nimport { x } from 'undici'\nimport { y } from 'uint8arrays/concat'\n",
        'src/crypto/b.ts':
          "import { createHash, generateKeyPairSync, hkdf as h } from 'node:crypto'\nimport 'node:os'\n",
      },
      found: [
        'src/wire/a.ts:1: imports node:crypto',
        'src/wire/a.ts:2: imports fs',
        'src/wire/a.ts:3: imports undici, which is not known to be pure',
        'src/crypto/b.ts:1: takes generateKeyPairSync, random or asynchronous, from node:crypto',
        'src/crypto/b.ts:1: takes hkdf, random or asynchronous, from node:crypto',
        'src/crypto/b.ts:2: imports node:os',
      ],
    },
    {
      what: 'a default export',
      rule: defaultExportViolations,
      sources: {
        'src/base/a.ts': 'export default class {}',
        'src/base/b.ts': 'const b = 1\nexport { b as default }',
      },
      found: ['src/base/a.ts:1: a default export', 'src/base/b.ts:2: a default export'],
    },
    {
      what: 'a deadline of Node',
      rule: deadlineViolations,
      sources: {
        'src/io/a.ts':
          '// AbortSignal.timeout\nconst late = AbortSignal.any([stopped, AbortSignal.timeout(5)])',
      },
      found: ['src/io/a.ts:2: a deadline that may be forgotten'],
    },
    {
      what: 'a name of no concern',
      rule: (sources) => nameViolations(sources.keys()),
      sources: {
        'src/index.ts': '',
        'src/wire/index.ts': '',
        'src/io/helpers/a.ts': '',
        'test/utils.test.ts': '',
        'src/base/indexes.ts': '',
      },
      found: ['src/wire/index.ts', 'src/io/helpers/a.ts', 'test/utils.test.ts'].map(
        (path) => `${path}: named after no concern`,
      ),
    },
    {
      what: 'a test that sleeps',
      rule: sleepViolations,
      sources: {
        'test/a.test.ts': [
          "import { setTimeout as pause, scheduler } from 'node:timers/promises'",
          'export async function until(isTrue: () => boolean): Promise<void> {',
          '  while (!isTrue()) await pause(5)',
          '}',
          'await pause(5)',
          'await new Promise((resolve) => setTimeout(resolve, 5))',
          'await new Promise<void>((resolve) => {',
          '  setTimeout(resolve, 5)',
          '})',
          'const deadline = setTimeout(() => child.kill(), 5)',
        ].join('\n'),
        'test/b.ts': "import * as timers from 'node:timers/promises'\nconst sleep = promisify(setTimeout)",
        'test/bench/idle.ts':
          "import { setTimeout as pause } from 'node:timers/promises'\nawait pause(60_000)",
      },
      found: [
        'test/a.test.ts:6: sleeps',
        'test/a.test.ts:7: sleeps',
        'test/a.test.ts:5: sleeps',
        'test/b.ts:1: takes timers/promises without naming what of it',
        'test/b.ts:2: sleeps',
      ],
    },
  ]
  for (const { what, rule, sources, found } of planted)
    test(what, () => {
      assert.deepEqual(rule(new Map(Object.entries(sources))), found)
    })

  test('nothing in what was generated', () => {
    const generated = new Map([['src/wire/protobuf/record.ts', "import { decode } from 'protons-runtime'"]])
    assert.deepEqual(purityViolations(generated), [])
  })

  test('what a document names and is not there', () => {
    const text = [
      '[here](protocols.md#records) [there](../README.md) [gone](gone.md) [web](https://example.org) [below](#below)',
      'Run `npm run --silent build`, then `npm run nothing`. See `src/wire/record.ts`, src/wire/*.ts and src/gone.ts.',
      '```',
      'node dist/src/cli.js    src/wire/<name>.ts    test/gone/a.test.ts',
      '```',
    ].join('\n')
    const paths = ['docs/protocols.md', 'README.md', 'src/wire', 'src/wire/record.ts']
    const exists = {
      path: (path: string) => paths.includes(path),
      script: (name: string) => name === 'build',
    }
    assert.deepEqual(danglingReferences('docs/a.md', text, exists), [
      'docs/a.md: links to gone.md',
      'docs/a.md: mentions src/gone.ts',
      'docs/a.md: mentions test/gone/a.test.ts',
      'docs/a.md: tells to run the script nothing',
    ])
  })
})

suite('a source is read', () => {
  const code = (text: string): string => readSource(text).code

  test('without comments', () => {
    assert.equal(code('a // Date\nb /* Date\n */ c'), 'a        \nb        \n    c')
  })

  test('without the inside of strings', () => {
    assert.equal(code(`a('// \\' Date', "Date '")`), `a('          ', "      ")`)
  })

  test('without the text of templates, but with the expressions in them', () => {
    assert.equal(code(`\`Date \${b} // \${\`x\${c}\`} Date\` + d`), '`      {b}     {`  {c}`}     ` + d')
  })

  test('without regular expressions, which are told from divisions', () => {
    const text = "return /['`/*]/g.test(a) ? b / c / d : [/\\//, /[/]'/]"
    assert.equal(code(text).replace(/\s+/g, ' '), 'return .test(a) ? b / c / d : [ , ]')
  })

  test('with the names and places of its imports', () => {
    const text =
      "// from 'no'\nimport { a, type b as c } from 'one'\nimport * as d from 'two'\nconst e = Array.from('three')\nlet f: typeof import('four')"
    const named = (name: string) => ({ exported: name, local: name })
    assert.deepEqual(readSource(text).imports, [
      { specifier: 'one', names: [named('a'), { exported: 'b', local: 'c' }], line: 2 },
      { specifier: 'two', names: [], line: 3 },
      { specifier: 'four', names: [], line: 5 },
    ])
  })
})

/** The files below a folder of the repository with an ending, by their path from its top, sorted; none where it is not there. */
function read(folder: string, ending: string, { recursive = true } = {}): ReadonlyMap<string, string> {
  if (!existsSync(join(REPOSITORY, folder))) return new Map()
  const paths = readdirSync(join(REPOSITORY, folder), { recursive, encoding: 'utf8' })
    .filter((path) => path.endsWith(ending))
    .map((path) => join(folder, path))
    .sort()
  return new Map(paths.map((path) => [path, readFileSync(join(REPOSITORY, path), 'utf8')]))
}
