/**
 * A fleet of real mesh nodes in several processes, so that a part of it can be killed at once, or stand still, as
 * machines do that lose their power: whole processes go, without a word.
 *
 * The processes end with the fleet, and with this process however it ends.
 */

import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { until } from '../../until.js'
import type { NodeStart, Request, Requests, Response } from './meshProcess.js'

const PROGRAM = fileURLToPath(new URL('./meshProcess.js', import.meta.url))
const START_DEADLINE_MS = 180_000
const LAST_WORDS_LENGTH = 4_096

type Arguments<Method extends keyof Requests> = Parameters<Requests[Method]>
type Result<Method extends keyof Requests> = ReturnType<Requests[Method]>

/** One process, for any number of nodes. */
export class MeshProcess {
  readonly #child: ChildProcess
  readonly #waiting = new Map<
    number,
    { readonly resolve: (value: unknown) => void; readonly reject: (reason: Error) => void }
  >()
  #requests = 0
  /** The end of what it wrote to its standard error, such as why it crashed. */
  #said = ''

  /** `enter` is a command that runs the rest of its line elsewhere, such as in a network namespace. */
  constructor(enter: readonly string[] = []) {
    // A process that stands still would outlive us otherwise.
    const [execPath = '', ...before] = ['setpriv', '--pdeathsig', 'KILL', '--', ...enter, process.execPath]
    this.#child = fork(PROGRAM, [], {
      execPath,
      execArgv: before,
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    })
    this.#child.on('message', (response: Response) => {
      const waiting = this.#waiting.get(response.id)
      this.#waiting.delete(response.id)
      if ('error' in response) waiting?.reject(new Error(response.error))
      else waiting?.resolve(response.result)
    })
    const onEnd = (how: string) => {
      const said = this.#said === '' ? '' : `, having said:\n${this.#said}`
      for (const { reject } of this.#waiting.values()) reject(new Error(`the process ended (${how})${said}`))
      this.#waiting.clear()
    }
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      process.stderr.write(text)
      this.#said = `${this.#said}${text}`.slice(-LAST_WORDS_LENGTH)
    })
    // Not at once when it exits: what it said last is read first.
    this.#child.on('close', (code, signal) => onEnd(signal ?? `exit code ${code}`))
    this.#child.on('error', (error) => onEnd(error.message))
  }

  get processId(): number {
    const { pid } = this.#child
    if (pid === undefined) throw new Error('a process of the fleet did not start')
    return pid
  }

  /** Asks for something; rejects with what it threw there, or where the process ends before it answers. */
  ask<Method extends keyof Requests>(method: Method, ...args: Arguments<Method>): Promise<Result<Method>> {
    const request: Request = { id: this.#requests++, method, args }
    return new Promise((resolve, reject) => {
      if (!this.#child.connected) {
        reject(new Error('the process has ended'))
        return
      }
      this.#waiting.set(request.id, { resolve: (value) => resolve(value as Result<Method>), reject })
      this.#child.send(request)
    })
  }

  /** SIGKILL ends it, and its kernel says so to all; SIGSTOP has it stand still with all its connections open. */
  signal(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(signal)
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await ended
  }
}

/** A node of the fleet. */
export class FleetNode {
  readonly name: string
  readonly process: MeshProcess
  readonly serves: boolean
  readonly peerId: string
  /** Its first address: where it listens, if it serves. */
  readonly address: string | undefined

  private constructor(
    name: string,
    process: MeshProcess,
    serves: boolean,
    { peerId, address }: Result<'start'>,
  ) {
    this.name = name
    this.process = process
    this.serves = serves
    this.peerId = peerId
    this.address = address
  }

  static async start(
    process: MeshProcess,
    options: Omit<NodeStart, 'identitySeed'> & { readonly identitySeed?: Uint8Array },
  ): Promise<FleetNode> {
    const identitySeed = options.identitySeed ?? randomBytes(32)
    const name = randomBytes(8).toString('hex')
    const started = await process.ask('start', name, { ...options, identitySeed })
    return new FleetNode(name, process, options.serves, started)
  }

  /** Asks the node for something; see {@link Requests}. */
  ask<Method extends keyof Requests>(
    method: Method,
    ...args: Arguments<Method> extends [string, ...infer Rest] ? Rest : never
  ): Promise<Result<Method>> {
    return this.process.ask(method, ...([this.name, ...args] as unknown as Arguments<Method>))
  }
}

export interface FleetOptions {
  readonly processes: number
  /** How many serve, spread evenly over the processes. */
  readonly serving: number
  /** How many are clients, as nodes behind NATs are; spread evenly as well. */
  readonly clients: number
  /** How many of those that serve everybody knows: the first of the first processes. */
  readonly bootstrap: number
  /** The address on which the n-th serving node listens. */
  readonly ipOf?: (serving: number) => string
  readonly gossips?: boolean
  /** See {@link MeshProcess}. */
  readonly enter?: readonly string[]
  readonly say?: (detail: string) => void
}

export class MeshFleet {
  readonly processes: readonly MeshProcess[]
  readonly #nodes: FleetNode[] = []
  readonly #enter: readonly string[]
  readonly #extra: MeshProcess[] = []
  readonly #bootstrapCount: number

  private constructor({ processes, bootstrap, enter = [] }: FleetOptions) {
    this.#enter = enter
    this.#bootstrapCount = bootstrap
    this.processes = Array.from({ length: processes }, () => new MeshProcess(enter))
  }

  /** Resolves when each node has its connections: clients their reservations, serving nodes each other. */
  static async start(options: FleetOptions): Promise<MeshFleet> {
    const fleet = new MeshFleet(options)
    try {
      await fleet.#startNodes(options)
      return fleet
    } catch (error) {
      await fleet.end()
      throw error
    }
  }

  get nodes(): readonly FleetNode[] {
    return this.#nodes
  }

  /** The nodes that everybody knows. */
  get bootstrapNodes(): readonly FleetNode[] {
    return this.#nodes.slice(0, this.#bootstrapCount)
  }

  /** Their addresses. */
  get bootstrap(): readonly string[] {
    return this.bootstrapNodes.flatMap(({ address }) => (address === undefined ? [] : [address]))
  }

  nodesOf(processes: readonly MeshProcess[]): readonly FleetNode[] {
    return this.#nodes.filter(({ process }) => processes.includes(process))
  }

  /** A process beside those of the fleet, such as for newcomers. */
  addProcess(enter: readonly string[] = this.#enter): MeshProcess {
    const process = new MeshProcess(enter)
    this.#extra.push(process)
    return process
  }

  async end(): Promise<void> {
    await Promise.all([...this.processes, ...this.#extra].map((process) => process.end()))
  }

  async #startNodes({
    serving,
    clients,
    gossips = false,
    ipOf = () => '127.0.0.1',
    say = () => {},
  }: FleetOptions): Promise<void> {
    const processOf = (index: number): MeshProcess => {
      const process = this.processes[index % this.processes.length]
      if (process === undefined) throw new RangeError('a fleet needs a process')
      return process
    }
    // Each waits for its connections before the next starts: all at once, a busy machine would do nothing but time out.
    const start = async (index: number, options: Omit<NodeStart, 'identitySeed'>) => {
      const node = await FleetNode.start(processOf(index), options)
      this.#nodes.push(node)
      await until('a node of the fleet to be connected', () => isReady(node, index), START_DEADLINE_MS)
      say(`${this.#nodes.length} nodes`)
    }
    const isReady = async (node: FleetNode, before: number) => {
      const { routingTable, reservations } = await node.ask('state')
      return node.serves ? routingTable >= Math.min(3, before) : reservations >= Math.min(2, serving)
    }
    for (let index = 0; index < serving; index++)
      await start(index, { serves: true, listenIp: ipOf(index), bootstrap: this.bootstrap, gossips })
    for (let index = 0; index < clients; index++)
      await start(index, { serves: false, listenIp: undefined, bootstrap: this.bootstrap, gossips })
  }
}
