/** `tunnelbore status`: what the nodes of this machine are doing, once or each second. */

import { setTimeout } from 'node:timers/promises'
import { UserError } from '../base/userError.js'
import { askStatus, NotRunningError } from '../daemon/controlClient.js'
import { controlSocketPath, listNodes } from '../daemon/runDirectory.js'
import type { Status } from '../daemon/status.js'
import { paintFor } from './colours.js'
import { fitScreen, Screen } from './screen.js'
import { renderStatuses } from './statusTable.js'

const WATCH_INTERVAL_MS = 1_000

export interface StatusOptions {
  /** An interface, or `bootstrap`; undefined: every node that runs. */
  readonly node: string | undefined
  readonly runDir: string
  readonly json: boolean
}

/** Prints the status once. Throws a UserError where no node runs, or one that does cannot be asked. */
export async function printStatus(options: StatusOptions): Promise<void> {
  process.stdout.write(render(await collect(options), options, { watching: false }))
}

/**
 * Prints the status each second until the signal fires. On a terminal the screen is redrawn; elsewhere one status
 * follows the other, with --json one a line. That no node runs is shown, and does not end it: one may be started.
 */
export async function watchStatus(options: StatusOptions, signal: AbortSignal): Promise<void> {
  const screen = process.stdout.isTTY && !options.json ? new Screen(process.stdout) : undefined
  try {
    while (!signal.aborted) {
      const text = await collect(options).then(
        (statuses) => render(statuses, options, { watching: true }),
        (error: unknown) => {
          if (!(error instanceof UserError)) throw error
          return options.json ? '' : `tunnelbore: ${error.message}\n`
        },
      )
      if (signal.aborted) break
      if (screen === undefined) process.stdout.write(text)
      else screen.draw(fitScreen(text, process.stdout.rows))
      await setTimeout(WATCH_INTERVAL_MS, undefined, { signal }).catch(() => undefined)
    }
  } finally {
    screen?.close()
  }
}

function render(
  statuses: readonly Status[],
  { node, json }: StatusOptions,
  { watching }: { readonly watching: boolean },
): string {
  if (json) {
    const [only] = statuses
    const value = node !== undefined || statuses.length === 1 ? only : statuses
    return `${JSON.stringify(value, undefined, watching ? undefined : 2)}\n`
  }
  return `${renderStatuses(statuses, paintFor(process.stdout))}${watching ? '\n' : ''}`
}

/** The status of the node that is named, or of every one that runs: at least one. */
async function collect({ node, runDir }: StatusOptions): Promise<readonly Status[]> {
  if (node !== undefined) return [await askStatus(controlSocketPath(runDir, node))]
  const names = await listNodes(runDir)
  const answers = await Promise.all(names.map((name) => askIfRunning(controlSocketPath(runDir, name))))
  const statuses = answers.filter((status) => status !== undefined)
  if (statuses.length === 0) throw new UserError(noNodeRuns(runDir))
  return statuses
}

/** What to say where no control socket in the run directory answers. */
export function noNodeRuns(runDir: string): string {
  return `no node runs here (looked in ${runDir}); start one with: tunnelbore up <interface>`
}

async function askIfRunning(path: string): Promise<Status | undefined> {
  try {
    return await askStatus(path)
  } catch (error) {
    if (error instanceof NotRunningError) return undefined
    throw error
  }
}
