/** `npm run sim -- report`: plays what a report shows, and writes it as one page and as its twin for programs. */

import { execFileSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { ConnectionTrace } from '../report/connectionTrace.js'
import { type Outcome, renderDocument } from '../report/document.js'
import { distributionOf, figureOf } from '../report/figureOf.js'
import { hasHeld } from '../report/findings.js'
import {
  courseFigure,
  distributionFigure,
  growthFigure,
  natMatrixFigures,
  populationFigure,
} from '../report/html/figures.js'
import { type Page, renderPage } from '../report/html/page.js'
import { sequenceFigure } from '../report/html/sequence.js'
import type { Run } from '../scenario.js'
import { churn } from '../scenarios/churn.js'
import { natMatrix } from '../scenarios/natMatrix.js'
import { replayCommand } from './arguments.js'
import { type Life, live } from './lives.js'
import type { ReportOrder } from './reportArguments.js'
import { ensureWritable, playShown, type Surroundings, type Verdict } from './runOrder.js'

const HOURS = 2
const MAX_GOSSIP_LIMIT = churn.parameters['gossip-limit'].max
/** Sizes of the growth curves: each half of the next larger one, down to this. */
const SMALLEST = 100

/** What befalls a fleet half-way. */
const STRIKES = [
  { what: 'half of the servers vanished', values: { vanish: 50 } },
  { what: 'all bootstrap nodes vanished', values: { 'bootstrap-vanish': 1 } },
  { what: 'the internet split in two for 20 minutes', values: { partition: 20 } },
] as const

export async function runReport(order: ReportOrder, surroundings: Surroundings): Promise<Verdict> {
  const { html, json, seed, nodes, largest } = order
  for (const path of [html, json]) await ensureWritable(path)
  const life = (values: Parameters<typeof live>[0]): Promise<Life> => live(values, seed, surroundings)
  const calm = await life({ nodes, hours: HOURS })
  const hard = await life({ nodes, hours: HOURS, 'median-session': 10 })
  const struck: Life[] = []
  for (const { values } of STRIKES) struck.push(await life({ nodes, hours: HOURS, ...values }))
  const sizes: Life[] = []
  const gossiping: Life[] = []
  for (const size of sizesUpTo(largest)) {
    sizes.push(await life({ nodes: size, hours: 1, 'gossip-limit': 0 }))
    gossiping.push(await life({ nodes: size, hours: 1, 'gossip-limit': MAX_GOSSIP_LIMIT }))
  }
  const matrix = await playMatrix(seed, surroundings)
  const lives = [calm, hard, ...struck, ...sizes, ...gossiping]
  const outcomes = [...lives.map(({ outcome }) => outcome), matrix.outcome]
  if (outcomes.some(({ complete }) => !complete)) return 'interrupted'
  const grown = sizes.map(({ outcome }) => outcome)
  const median = (name: string) => (outcome: Outcome) => distributionOf(outcome, name).median ?? 0
  const page: Page = {
    title: 'A fleet without a central server',
    introduction: `What the simulations say of ${nodes} machines that come and go, half of their sessions being over after two hours (in the hard case, ten minutes), a fifth of them reachable, with round trips of 50 ms; and of every pair of networks.`,
    commit: presentCommit(),
    sections: [
      {
        title: 'Day in, day out',
        figures: [
          distributionFigure(calm.outcome),
          courseFigure(calm.outcome, undefined),
          courseFigure(hard.outcome, undefined, 'where half of the sessions are over after ten minutes'),
        ],
      },
      {
        title: 'When it is struck',
        figures: STRIKES.flatMap(({ what }, index) => {
          const outcome = struck[index]?.outcome
          if (outcome === undefined) return []
          return [courseFigure(outcome, what), ...(index === 0 ? [populationFigure(outcome)] : [])]
        }),
      },
      {
        title: 'As it grows',
        figures: [
          growthFigure('Traffic of a node', 'bytes/s', [
            { name: 'a client', outcomes: grown, of: median('client-bytes') },
            { name: 'a server', outcomes: grown, of: median('server-bytes') },
            {
              name: 'a client where all records are gossiped',
              outcomes: gossiping.map(({ outcome }) => outcome),
              of: median('client-bytes'),
            },
          ]),
          growthFigure('Traffic of a bootstrap node', 'bytes/s', [
            { name: 'a bootstrap node', outcomes: grown, of: median('bootstrap-bytes') },
          ]),
          growthFigure('First look-ups', 'ms', [
            { name: 'median', outcomes: grown, of: median('cold-look-up') },
            {
              name: '95 %',
              outcomes: grown,
              of: (outcome) => distributionOf(outcome, 'cold-look-up').p95 ?? 0,
            },
          ]),
          growthFigure('State', 'entries', [
            { name: 'servers that a machine knows', outcomes: grown, of: median('routing-table') },
            { name: 'records at a server', outcomes: grown, of: median('server-records') },
          ]),
          growthFigure('Work of a look-up and of a publication', 'requests', [
            { name: 'a look-up', outcomes: grown, of: median('asked') },
            { name: 'a publication', outcomes: grown, of: median('published') },
          ]),
          growthFigure('Look-ups of peers that are there', '%', [
            { name: 'found', outcomes: grown, of: (outcome) => figureOf(outcome, 'found') },
          ]),
        ],
      },
      { title: 'Every pair of networks', figures: natMatrixFigures(matrix.outcome) },
      ...(matrix.connection === undefined
        ? []
        : [{ title: 'How two of them meet', figures: [sequenceFigure(matrix.connection)], isWide: true }]),
    ],
    runs: [
      { name: 'Sessions with a median of two hours', ...calm },
      { name: 'Sessions with a median of ten minutes', ...hard },
      ...STRIKES.flatMap(({ what }, index) => {
        const one = struck[index]
        return one === undefined ? [] : [{ name: `After ${what}`, ...one }]
      }),
      { name: 'Every pair of networks', replay: matrix.replay, outcome: matrix.outcome },
    ],
  }
  await writeFile(html, renderPage(page))
  const documents = outcomes.map((outcome): unknown => JSON.parse(renderDocument(outcome)))
  await writeFile(json, `${JSON.stringify({ seed, commit: page.commit, runs: documents }, undefined, 2)}\n`)
  surroundings.write(`${html}\n${json}\n`)
  return outcomes.every(({ findings }) => hasHeld(findings)) ? 'held' : 'broken'
}

function sizesUpTo(largest: number): readonly number[] {
  const sizes: number[] = []
  for (let size = largest; size >= SMALLEST; size = Math.round(size / 2)) sizes.unshift(size)
  return sizes.length > 1 ? sizes : [Math.round(largest / 2), largest]
}

async function playMatrix(seed: number, surroundings: Surroundings) {
  let run: Run | undefined
  const trace = new ConnectionTrace({
    elapsed: () => run?.queue.elapsed ?? 0,
    hosts: () => run?.traced() ?? [],
  })
  const replay = replayCommand({ scenario: natMatrix, seed, values: {} })
  run = natMatrix.begin({ seed, values: {}, observers: [trace] })
  const complete = await playShown(run, natMatrix.name, replay, surroundings)
  const outcome: Outcome = {
    scenario: natMatrix.name,
    seed,
    parameters: {},
    complete,
    simulatedMs: run.queue.elapsed,
    findings: run.findings(),
  }
  return { outcome, replay, connection: trace.connection }
}

/** Of what was run; without git, or outside a checkout, it cannot be said. */
function presentCommit(): string {
  try {
    const commit = execFileSync('git', ['rev-parse', 'HEAD'], {
      cwd: import.meta.dirname,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    return commit.trim()
  } catch {
    return 'unknown'
  }
}
