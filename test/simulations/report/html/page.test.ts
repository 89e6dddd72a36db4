/** The report in a real browser: all is drawn, nothing is fetched, nothing fails. */

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { runReport } from '../../../../simulations/command/runReport.js'

const DEADLINE_MS = 120_000

/** What a figure looks like once it is laid out, in CSS pixels. */
interface Drawn {
  readonly title: string
  readonly saying: string
  readonly width: number
  readonly height: number
  /** Lines, dots, cells, arrows. */
  readonly marks: number
  readonly texts: number
  /** Whether something that is drawn is not a number. */
  readonly isBroken: boolean
}

interface Seen {
  readonly errors: readonly string[]
  readonly fetched: number
  readonly scrollsSideways: boolean
  readonly figures: readonly Drawn[]
}

/** Runs in the page, and leaves what it saw in it. */
const LOOK = `<script>
  const errors = []
  addEventListener('error', (event) => errors.push(String(event.message)))
  addEventListener('load', () => {
    const figures = [...document.querySelectorAll('figure')].map((figure) => {
      const svg = figure.querySelector('svg')
      const { width, height } = svg.getBoundingClientRect()
      return {
        title: figure.querySelector('strong').textContent,
        saying: figure.querySelector('figcaption').lastChild.textContent,
        width,
        height,
        marks: svg.querySelectorAll('path, circle, rect, line').length,
        texts: [...svg.querySelectorAll('text')].filter((text) => text.getBBox().width > 0).length,
        isBroken: /NaN|Infinity|undefined/.test(svg.outerHTML + figure.textContent),
      }
    })
    const { scrollWidth, clientWidth } = document.documentElement
    const seen = {
      errors,
      fetched: performance.getEntriesByType('resource').filter(({ name }) => !name.startsWith('data:')).length,
      scrollsSideways: scrollWidth > clientWidth,
      figures,
    }
    document.body.textContent = 'SEEN' + btoa(encodeURIComponent(JSON.stringify(seen))) + 'END'
  })
</script>`

test('the report is drawn whole, on a screen and on a phone', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'tunnelbore-report-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  const html = join(directory, 'report.html')
  const json = join(directory, 'report.json')
  let written = ''
  await runReport(
    { html, json, seed: 1, nodes: 60, largest: 100 },
    {
      terminal: { isTTY: false, columns: 80, write: () => true },
      write: (text) => {
        written += text
      },
      clock: () => performance.now(),
      isInterrupted: () => false,
    },
  )
  assert.equal(written, `${html}\n${json}\n`)
  const page = await readFile(html, 'utf8')
  // But for the names that SVG goes by.
  assert.doesNotMatch(page.replaceAll('http://www.w3.org/', ''), /https?:|<script/)
  const { runs } = JSON.parse(await readFile(json, 'utf8'))
  assert(runs.length > 8)

  const watched = join(directory, 'watched.html')
  await writeFile(watched, page.replace('<style>', `${LOOK}<style>`))
  for (const size of ['1200,900', '500,800']) {
    const { errors, fetched, scrollsSideways, figures } = await lookAt(watched, directory, size)
    assert.deepEqual(errors, [])
    assert.equal(fetched, 0)
    assert.equal(scrollsSideways, false, size)
    assert.equal(figures.length, page.split('<figure>').length - 1)
    assert(figures.length >= 14)
    for (const { title, saying, width, height, marks, texts, isBroken } of figures) {
      assert(width > 200 && height > 100, `${title} is ${width} by ${height}`)
      assert(marks >= 4 && texts >= 4, `${title} has ${marks} marks and ${texts} words`)
      assert.equal(isBroken, false, title)
      assert(saying.length > 20, title)
    }
  }
})

async function lookAt(path: string, directory: string, size: string): Promise<Seen> {
  const flags = [
    '--headless',
    // The sandbox wants what root in a container does not have.
    '--no-sandbox',
    '--disable-gpu',
    '--disable-dev-shm-usage',
    `--user-data-dir=${join(directory, 'profile')}`,
    `--window-size=${size}`,
    '--dump-dom',
  ]
  const options = { timeout: DEADLINE_MS, maxBuffer: 64 * 1024 * 1024 }
  const { stdout } = await promisify(execFile)('chromium', [...flags, `file://${path}`], options)
  const [, seen] =
    /SEEN([\w+/=]+)END/.exec(stdout) ?? assert.fail('the browser did not get to the end of the page')
  return JSON.parse(decodeURIComponent(atob(seen ?? '')))
}
