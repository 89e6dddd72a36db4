/** The fleets of a hundred nodes that the benchmarks of the mesh share, and what is measured in each of them. */

import { randomBytes } from 'node:crypto'
import { newKey, testRecord } from '../io/mesh/meshes.js'
import { FleetNode, MeshFleet, type MeshProcess } from '../io/mesh/meshFleet.js'
import { machineMs } from '../io/mesh/meshProcess.js'
import { Namespace } from '../lab/namespace.js'
import type { Say } from '../lab/progress.js'
import { Scope } from '../lab/scope.js'
import { until } from '../until.js'

export interface FleetKind {
  readonly name: string
  readonly serving: number
  readonly clients: number
}

/** As real fleets are, and as they would be without NATs. */
export const FLEET_KINDS: readonly FleetKind[] = [
  { name: '20 that serve, 80 clients', serving: 20, clients: 80 },
  { name: '100 that serve', serving: 100, clients: 0 },
]

export const PROCESSES = 10
const BOOTSTRAP = 3
/** The size of a sealed record. */
const RECORD_LENGTH = 1536
const DEADLINE_MS = 10_000
const JOIN_DEADLINE_MS = 60_000

/** A fleet in a network of its own, which is nothing but a loopback interface. */
export class BenchFleet {
  readonly fleet: MeshFleet
  readonly #scope: Scope
  readonly #namespace: Namespace

  private constructor(scope: Scope, namespace: Namespace, fleet: MeshFleet) {
    this.#scope = scope
    this.#namespace = namespace
    this.fleet = fleet
  }

  static async start(
    { serving, clients }: Pick<FleetKind, 'serving' | 'clients'>,
    say: Say,
  ): Promise<BenchFleet> {
    const scope = new Scope()
    try {
      const namespace = await Namespace.create(scope, 'fleet')
      const fleet = await MeshFleet.start({
        processes: PROCESSES,
        serving,
        clients,
        bootstrap: BOOTSTRAP,
        gossips: true,
        ipOf: (index) => `127.0.1.${index + 1}`,
        enter: ['nsenter', `--net=/run/netns/${namespace.name}`, '--'],
        say,
      })
      return new BenchFleet(scope, namespace, fleet)
    } catch (error) {
      await scope.close()
      throw error
    }
  }

  /** From now on nothing passes to or from the addresses of these nodes, and nobody is told. */
  async blackHole(nodes: readonly FleetNode[]): Promise<void> {
    const ips = nodes.flatMap(({ address }) => /\/ip4\/([^/]+)/.exec(address ?? '')?.[1] ?? [])
    await this.#namespace.nft(`
      table ip hole {
        chain in {
          type filter hook input priority 0
          ip daddr { ${ips.join(', ')} } drop
          ip saddr { ${ips.join(', ')} } drop
        }
      }
    `)
  }

  async end(): Promise<void> {
    await this.fleet.end()
    await this.#scope.close()
  }
}

export interface LookUps {
  /** The first look-up of each newcomer, to its first valid record, in ms. */
  readonly coldMs: readonly number[]
  /** All look-ups of all newcomers, each of another record. */
  readonly allMs: readonly number[]
  readonly failures: number
}

/** Publishes records, each by another node. Returns their keys. */
export async function publishRecords(
  nodes: readonly FleetNode[],
  count: number,
): Promise<readonly Uint8Array[]> {
  const keys: Uint8Array[] = []
  while (keys.length < count) {
    const key = newKey()
    await until('a publication', async () => {
      const { acknowledged } = await pick(nodes).ask('publish', key, benchRecord(1), DEADLINE_MS)
      return acknowledged > 0
    })
    keys.push(key)
  }
  return keys
}

/**
 * One client after the other joins, and, as soon as it is connected to the nodes that it was told of, looks records up
 * that it never looked up before.
 */
export async function measureLookUps(
  newcomers: MeshProcess,
  bootstrap: readonly string[],
  living: number,
  keys: readonly Uint8Array[],
  { count, each }: { readonly count: number; readonly each: number },
  say: Say,
): Promise<LookUps> {
  const coldMs: number[] = []
  const allMs: number[] = []
  let failures = 0
  for (let index = 0; index < count; index++) {
    say(`newcomer ${index + 1} of ${count}`)
    const reader = await FleetNode.start(newcomers, {
      serves: false,
      listenIp: undefined,
      bootstrap,
      gossips: true,
    })
    await until(
      'the connections of a newcomer',
      async () => (await reader.ask('state')).bootstrap.filter(({ connected }) => connected).length >= living,
      JOIN_DEADLINE_MS,
    )
    for (const [order, key] of shuffled(keys).slice(0, each).entries()) {
      const { firstMs } = await reader.ask('lookUp', key, DEADLINE_MS)
      if (firstMs === undefined) failures += 1
      allMs.push(firstMs ?? Number.POSITIVE_INFINITY)
      if (order === 0) coldMs.push(firstMs ?? Number.POSITIVE_INFINITY)
    }
    await reader.ask('stop')
  }
  return { coldMs, allMs, failures }
}

/** One node publishes, another one looks until it finds: how long that took, in ms, and until `publish` returned. */
export async function measurePublishing(
  nodes: readonly FleetNode[],
  count: number,
): Promise<{ readonly foundMs: readonly number[]; readonly publishMs: readonly number[] }> {
  const foundMs: number[] = []
  const publishMs: number[] = []
  for (let index = 0; index < count; index++) {
    const author = pick(nodes)
    const reader = pick(nodes.filter((node) => node !== author))
    const key = newKey()
    const begun = machineMs()
    const [{ ms }, found] = await Promise.all([
      author.ask('publish', key, benchRecord(1), DEADLINE_MS),
      reader.ask('untilFound', key, 1, DEADLINE_MS).catch(() => Number.POSITIVE_INFINITY),
    ])
    publishMs.push(ms)
    foundMs.push(found - begun)
  }
  return { foundMs, publishMs }
}

function benchRecord(sequence: number): Uint8Array {
  const head = testRecord(sequence)
  const record = new Uint8Array(RECORD_LENGTH)
  record.set(randomBytes(RECORD_LENGTH))
  record.set(head)
  return record
}

export function pick<Item>(items: readonly Item[]): Item {
  const item = items[Math.floor(Math.random() * items.length)]
  if (item === undefined) throw new RangeError('nothing to pick from')
  return item
}

function shuffled<Item>(items: readonly Item[]): readonly Item[] {
  return items
    .map((item) => ({ item, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item)
}
