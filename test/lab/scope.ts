/**
 * What belongs to whom. All that a laboratory makes outside its own process carries a name that begins with the
 * laboratory's prefix:
 *
 *     tb ss ppp-l-name      a namespace in /run/netns, or a directory in the system's temporary one
 *     tb ss ppp-l-n         a WireGuard interface, and its control socket; at most 15 characters
 *
 * `ppp` is the process id of the maker and `ss` tells it from another process that had the same id before, `l` numbers
 * the laboratories of a process; all in base 36. So what a killed run left behind is found by name, and is removed when
 * the next laboratory is made. The interfaces need names that are unique on the machine, because wireguard-go keeps its
 * control sockets in one directory for all namespaces.
 */

import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { LabProcess, type ProcessOptions } from './labProcess.js'

export interface ScopeProcessOptions extends ProcessOptions {
  /** For what others need to the end, such as WireGuard: it is stopped after them. */
  readonly stopLast?: boolean
}

const NAMESPACES = '/run/netns'
/** Where wireguard-go listens for `wg`. */
export const WIREGUARD_SOCKETS = '/var/run/wireguard'

/** One laboratory's names, processes and directory. */
export class Scope {
  readonly prefix: string
  /** For files of the laboratory; readable by its user only. */
  readonly directory: string
  /** The processes that run, and whether each is to be stopped last. */
  readonly #processes = new Map<LabProcess, boolean>()
  #interfaces = 0

  constructor() {
    atProcessEnd()
    removeAll((owner) => owner !== OWN_TAG && owner !== tagOf(processIdOf(owner)))
    laboratories++
    this.prefix = `${OWN_TAG}-${laboratories.toString(36)}-`
    this.directory = mkdtempSync(join(tmpdir(), this.prefix))
  }

  /** A name for an interface that no other interface on this machine has. */
  interfaceName(): string {
    this.#interfaces++
    return this.prefix + this.#interfaces.toString(36)
  }

  /** Starts a program that ends with the laboratory at the latest. */
  spawn(command: string, args: readonly string[], options: ScopeProcessOptions = {}): LabProcess {
    const started = new LabProcess(command, args, options)
    this.#processes.set(started, options.stopLast ?? false)
    void started.ended.then(() => this.#processes.delete(started))
    return started
  }

  /** Stops every process, then removes whatever carries the prefix. */
  async close(): Promise<void> {
    for (const last of [false, true]) {
      const group = [...this.#processes].filter(([, stopLast]) => stopLast === last)
      await Promise.all(group.map(([each]) => each.stop()))
    }
    removeAll((owner, name) => owner === OWN_TAG && name.startsWith(this.prefix))
  }
}

let laboratories = 0
let watchingProcessEnd = false

/** A process's part of the names; undefined where there is no such process. */
function tagOf(processId: number): string | undefined {
  let stat: string
  try {
    stat = readFileSync(`/proc/${processId}/stat`, 'utf8')
  } catch {
    return undefined
  }
  // proc(5): field 22 is when the process started, in clock ticks since boot; field 2 is its name, in parentheses.
  const startTime = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19])
  const start = (startTime % 36 ** 2).toString(36).padStart(2, '0')
  return `tb${start}${processId.toString(36)}`
}

const OWN_TAG = tagOf(process.pid) ?? ''

function processIdOf(tag: string): number {
  return Number.parseInt(tag.slice(4), 36)
}

/** Has this process remove all it made when it ends, however it ends (but for SIGKILL). */
function atProcessEnd(): void {
  if (watchingProcessEnd) return
  watchingProcessEnd = true
  process.on('exit', () => removeAll((owner) => owner === OWN_TAG))
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => process.exit(128 + constants.signals[signal]))
}

/**
 * Removes the namespaces, with the processes in them, the control sockets and the directories that `belongs` picks
 * by the tag of their maker and their name. Synchronous, so that it can run as a process ends. What another process
 * removes at the same time is no failure; a namespace that stays is.
 */
function removeAll(belongs: (owner: string, name: string) => boolean): void {
  const ours = (directory: string): string[] =>
    existsSync(directory)
      ? readdirSync(directory).filter((name) => {
          const owner = /^(tb[0-9a-z]{3,})-[0-9a-z]+-/.exec(name)?.[1]
          return owner !== undefined && belongs(owner, name)
        })
      : []
  const namespaces = ours(NAMESPACES)
  if (namespaces.length > 0) {
    endProcessesIn(namespaces)
    spawnSync('ip', ['-force', '-batch', '-'], {
      input: namespaces.map((name) => `netns del ${name}\n`).join(''),
    })
    const left = namespaces.filter((name) => existsSync(join(NAMESPACES, name)))
    if (left.length > 0) throw new Error(`could not remove the network namespaces ${left.join(', ')}`)
  }
  for (const directory of [WIREGUARD_SOCKETS, tmpdir()])
    for (const name of ours(directory)) rmSync(join(directory, name), { recursive: true, force: true })
}

function endProcessesIn(namespaces: readonly string[]): void {
  const inodes = new Set<number>()
  for (const name of namespaces) {
    const status = statSync(join(NAMESPACES, name), { throwIfNoEntry: false })
    if (status !== undefined) inodes.add(status.ino)
  }
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    try {
      const inode = /^net:\[(\d+)\]$/.exec(readlinkSync(`/proc/${entry}/ns/net`))?.[1]
      if (inodes.has(Number(inode))) process.kill(Number(entry), 'SIGKILL')
    } catch {
      // It has ended by itself.
    }
  }
}
