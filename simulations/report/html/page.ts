/** The report as one HTML page that needs nothing else: no script, no network, light or dark, on a phone and on paper. */

import type { Outcome } from '../document.js'
import { escaped, type Figure } from './drawing.js'

export interface Section {
  readonly title: string
  readonly figures: readonly Figure[]
  /** True where the pictures are wide. */
  readonly isWide?: boolean
}

export interface Page {
  readonly title: string
  readonly introduction: string
  readonly sections: readonly Section[]
  /** What was promised, of each run. */
  readonly runs: readonly { readonly name: string; readonly replay: string; readonly outcome: Outcome }[]
  /** Of the sources. */
  readonly commit: string
}

const STYLE = `
:root { color-scheme: light dark; --paper: #fff; --ink: #1a1a1a; --faint: #666; --rule: #ddd;
  --blue: #0072b2; --orange: #d55e00; --green: #00795c; --pink: #b0568b; }
@media (prefers-color-scheme: dark) { :root { --paper: #16181b; --ink: #e8e8e8; --faint: #a5a5a5; --rule: #3a3d42;
  --blue: #56b4e9; --orange: #f0a030; --green: #35c79c; --pink: #e39bc4; } }
@media print { :root { color-scheme: light; --paper: #fff; --ink: #000; --faint: #333; --rule: #bbb;
  --blue: #0072b2; --orange: #d55e00; --green: #00795c; --pink: #b0568b; }
  figure, tr { break-inside: avoid; } h2 { break-after: avoid; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 1rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.2; } h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--rule); }
.figures { display: grid; gap: 1.5rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); }
.wide { grid-template-columns: 100%; }
figure { margin: 0; min-width: 0; } figcaption { color: var(--faint); font-size: 0.9rem; }
figcaption strong { color: var(--ink); display: block; font-size: 1rem; }
figure svg { display: block; width: 100%; height: auto; overflow: visible; --plot-background: var(--paper); }
.wide svg { max-width: 52rem; } .scroll { overflow-x: auto; }
@media (max-width: 40rem) { .wide .scroll svg { width: 40rem; } }
table { border-collapse: collapse; width: 100%; } td { border-top: 1px solid var(--rule); padding: 0.3rem 0.5rem 0.3rem 0; vertical-align: top; }
code { font-size: 0.85rem; overflow-wrap: anywhere; } .broken { font-weight: bold; color: var(--orange); }
`

export function renderPage({ title, introduction, sections, runs, commit }: Page): string {
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    // No icon is asked for either.
    '<link rel="icon" href="data:,">',
    `<title>${escaped(title)}</title><style>${STYLE}</style></head><body>`,
    `<h1>${escaped(title)}</h1><p>${escaped(introduction)}</p>`,
    ...sections.map(renderSection),
    '<h2>What was promised</h2>',
    ...runs.map(renderRun),
    `<p>Made from the sources at <code>${escaped(commit)}</code>.</p>`,
    '</body></html>',
    '',
  ].join('\n')
}

function renderSection({ title, figures, isWide }: Section): string {
  const drawn = figures.map(
    (figure) =>
      `<figure><figcaption><strong>${escaped(figure.title)}</strong>${escaped(figure.saying)}</figcaption><div class="scroll">${figure.svg}</div></figure>`,
  )
  return `<h2>${escaped(title)}</h2><div class="figures${isWide === true ? ' wide' : ''}">${drawn.join('\n')}</div>`
}

function renderRun({ name, replay, outcome }: Page['runs'][number]): string {
  const rows = outcome.findings.expectations.map(({ what, broken }) =>
    broken.length === 0
      ? `<tr><td>✓</td><td>${escaped(what)}</td></tr>`
      : `<tr><td class="broken">✗</td><td>${escaped(what)}: ${escaped(broken.slice(0, 3).join('; '))}</td></tr>`,
  )
  return `<h3>${escaped(name)}</h3><p><code>${escaped(replay)}</code></p><table>${rows.join('')}</table>`
}
