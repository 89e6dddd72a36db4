/** What a process uses, from /proc (proc(5)). */

import { readdir, readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

/** Resident memory in bytes: all of it, and with what is shared with others counted in parts. */
export interface MemoryUsage {
  readonly rssBytes: number
  readonly pssBytes: number
}

export async function memoryOf(processId: number): Promise<MemoryUsage> {
  const rollup = await readFile(`/proc/${processId}/smaps_rollup`, 'utf8')
  const bytes = (field: string): number =>
    Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1] ?? Number.NaN) * 1024
  return { rssBytes: bytes('Rss'), pssBytes: bytes('Pss') }
}

/** USER_HZ, which is 100 on all of Linux's architectures but Alpha. */
const TICKS_PER_SECOND = 100

/** Processor time in seconds that a process has used so far, with its children, those that have ended too. */
export async function processorSeconds(processId: number): Promise<number> {
  let ticks = await ownTicks(processId)
  for (const child of await childrenOf(processId)) ticks += await ownTicks(child).catch(() => 0)
  return ticks / TICKS_PER_SECOND
}

/** Fields 14 to 17 of the process's stat: in user mode and in the kernel, its own and its ended children's. */
async function ownTicks(processId: number): Promise<number> {
  const fields = await statFields(processId)
  return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
}

async function childrenOf(processId: number): Promise<readonly number[]> {
  const children: number[] = []
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    const [, parent] = await statFields(Number(entry)).catch(() => [])
    if (Number(parent) === processId) children.push(Number(entry))
  }
  return children
}

/** From field 3 on: field 2 is the name, in parentheses, which may contain anything. */
async function statFields(processId: number): Promise<readonly string[]> {
  const stat = await readFile(`/proc/${processId}/stat`, 'utf8')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

const REST_WINDOW_MS = 1_000
/** Of one core, all of them together. */
const REST_SHARE = 0.25
const REST_DEADLINE_MS = 60_000

/** Waits until daemons that were started have done what they do after a start; for a minute at most. */
export async function untilAtRest(
  daemons: readonly { readonly process: { readonly pid: number | undefined } }[],
): Promise<void> {
  const used = async (): Promise<number> => {
    const all = await Promise.all(daemons.map(({ process: { pid = 0 } }) => processorSeconds(pid)))
    return all.reduce((sum, seconds) => sum + seconds, 0)
  }
  const begun = performance.now()
  for (let before = await used(); performance.now() - begun < REST_DEADLINE_MS; ) {
    await sleep(REST_WINDOW_MS)
    const now = await used()
    if (((now - before) * 1_000) / REST_WINDOW_MS < REST_SHARE) return
    before = now
  }
}
