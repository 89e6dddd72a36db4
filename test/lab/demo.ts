/**
 * The demonstration, in a laboratory on this machine:
 *
 *     npm run demo                two machines behind NATs and one in the open find each other
 *     npm run demo -- --keep      the same, and it stays until Ctrl-C, to look around
 */

import { join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import Table from 'cli-table3'
import { causeOf, UserError } from '../../src/base/userError.js'
import { paintFor } from '../../src/cli/colours.js'
import type { PathStatus } from '../../src/daemon/status.js'
import { median } from '../bench/statistics.js'
import { ensurePackages } from '../packages.js'
import { Fleet, type Machine } from './fleet.js'
import type { Host } from './host.js'
import { type Access, Laboratory } from './laboratory.js'
import { Progress } from './progress.js'

const MACHINES = {
  alice: 'port-restricted',
  bob: 'address-restricted',
  carol: 'open',
} as const satisfies Record<string, Access>

const PLACES: Readonly<Record<Access, string>> = {
  open: 'in the open',
  'full-cone': 'behind a full-cone NAT',
  'address-restricted': 'behind an address-restricted NAT',
  'port-restricted': 'behind a port-restricted NAT',
  symmetric: 'behind a symmetric NAT',
}

const PING_TIMEOUT_MS = 20_000
const CLI = join(import.meta.dirname, '../../src/cli.js')

const paint = paintFor(process.stdout)

/** A fleet, and the addresses at which the internet sees its machines, by name. */
interface Scene {
  readonly fleet: Fleet
  readonly seenAs: ReadonlyMap<string, string>
}

/** What the first ping from one machine to another met. */
interface Contact {
  readonly from: Machine
  readonly to: Machine
  readonly firstPingMs: number | undefined
  readonly path: PathStatus | null
  /** Through the tunnel, once it stood. */
  readonly roundTripMs: number
}

async function main(): Promise<void> {
  const keep = readArguments()
  ensurePackages()
  print(`${paint('Tunnelbore: machines behind NATs meet over WireGuard, with no server between them.', 'bold')}

A small internet is built out of network namespaces on this machine, and removed at the end (or with Ctrl-C).
On it, three machines with ordinary WireGuard. Each knows of the others their public keys and their addresses
in the tunnel; no peer has an Endpoint. Two bootstrap nodes are all that they know of the mesh.
`)
  let keeping = false
  // Heard before the laboratory's own listener, which would call it a failure.
  process.on('SIGINT', () => keeping && process.exit(0))
  const progress = new Progress()
  const lab = await progress.step('a small internet', () => Laboratory.create())
  try {
    const scene = await setScene(lab, progress)
    const { fleet } = scene
    print(describeMachines(scene))
    const contacts: Contact[] = []
    for (const [from, to] of directions(fleet.machines)) {
      contacts.push(await progress.step(`${from.name} pings ${to.name}`, () => meet(from, to)))
    }
    print(`\n${contactTable(contacts)}\n${EXPLANATION}`)
    const lost = contacts.find(({ firstPingMs }) => firstPingMs === undefined)
    if (lost !== undefined) throw new Error(`${lost.from.name} had no answer from ${lost.to.name}`)
    if (!keep) return
    print(lookAround(fleet))
    keeping = true
    await new Promise(() => undefined)
  } finally {
    await progress.step('everything is removed', () => lab.close())
  }
}

/** True where the laboratory is to be kept. Throws a UserError on anything unknown. */
function readArguments(): boolean {
  try {
    return parseArgs({ options: { keep: { type: 'boolean', default: false } } }).values.keep
  } catch (error) {
    throw new UserError(`${causeOf(error)}; usage: npm run demo -- [--keep]`, 2)
  }
}

async function setScene(lab: Laboratory, progress: Progress): Promise<Scene> {
  const hosts: Record<string, Host> = {}
  const seenAs = new Map<string, string>()
  for (const [name, access] of Object.entries(MACHINES)) {
    const gateway = access === 'open' ? undefined : await lab.gateway(access, { name: `${name}-gateway` })
    const host = await lab.host({ name, ...(gateway === undefined ? {} : { behind: gateway }) })
    hosts[name] = host
    seenAs.set(name, gateway?.address ?? host.address)
  }
  const fleet = await progress.step('two bootstrap nodes, and three machines with WireGuard', () =>
    Fleet.create(lab, hosts),
  )
  await progress.step('tunnelbore starts on the three machines', () =>
    Promise.all(fleet.machines.map((machine) => fleet.startMachine(machine))),
  )
  await progress.step('they publish signed records of where they are', () =>
    Promise.all(fleet.machines.map((machine) => machine.daemon.untilPublished())),
  )
  return { fleet, seenAs }
}

/** Every two machines, both ways. */
function directions(machines: readonly Machine[]): readonly (readonly [Machine, Machine])[] {
  return machines.flatMap((one, index) =>
    machines.slice(index + 1).flatMap((other) => [[one, other] as const, [other, one] as const]),
  )
}

async function meet(from: Machine, to: Machine): Promise<Contact> {
  const [firstPingMs] = (await from.host.ping(to.tunnelAddress, { timeoutMs: PING_TIMEOUT_MS })).rttsMs
  const { rttsMs } = await from.host.ping(to.tunnelAddress, { count: 5, intervalMs: 20 })
  const { path } = await from.daemon.peer(to.wireguard.keys.publicKey)
  return { from, to, firstPingMs, path, roundTripMs: median(rttsMs) }
}

function describeMachines({ fleet, seenAs }: Scene): string {
  const table = plainTable(['machine', 'in the tunnel', 'own address', 'seen as', 'where'])
  for (const { host } of fleet.bootstrap) table.push([host.name, '', host.address, host.address, PLACES.open])
  for (const { name, host, tunnelAddress } of fleet.machines) {
    const access = MACHINES[name as keyof typeof MACHINES]
    table.push([name, tunnelAddress, host.address, seenAs.get(name) ?? '', PLACES[access]])
  }
  return `\n${table.toString()}\n`
}

function contactTable(contacts: readonly Contact[]): string {
  const table = plainTable(['ping', 'first answer', 'path', 'remote address', 'round trip then'])
  for (const { from, to, firstPingMs, path, roundTripMs } of contacts) {
    table.push([
      `${from.name} → ${to.name}`,
      firstPingMs === undefined ? paint('none', 'red') : paint(milliseconds(firstPingMs), 'green'),
      path === null ? 'none' : `direct, ${path.type}`,
      path?.remote ?? '',
      milliseconds(roundTripMs),
    ])
  }
  return table.toString()
}

const EXPLANATION = `
A first ping takes longer: WireGuard's handshake is held while the peer's record is looked up in the mesh and the
peer is knocked through it; then both send checks to each other's addresses, which opens their NATs. The ping the
other way finds the path there. Once there is a path, packets go straight from one machine to the other, and they
are WireGuard's own, unaltered. The remote address of a path is one of these:

  host              an address of the peer's own
  server-reflexive  what the peer's NAT made of it, as a bootstrap node told the peer
  peer-reflexive    where the peer's own checks came from
`

/** The commands to look around with. */
function lookAround({ machines }: Fleet): string {
  const cli = `node ${relative(process.cwd(), CLI)}`
  const blocks = machines.map(({ name, host, wireguard, daemon }, index) => {
    const inside = `ip netns exec ${host.namespace.name}`
    const peer = machines[(index + 1) % machines.length]
    return [
      paint(name, 'bold'),
      `  ${inside} ping -c 3 ${peer?.tunnelAddress ?? ''}`,
      `  ${inside} wg show ${wireguard.name}`,
      `  ${cli} status ${wireguard.name} --run-dir ${daemon.runDirectory}`,
    ].join('\n')
  })
  const internet = `${machines[0]?.host.namespace.scope.prefix ?? ''}internet`
  return [
    'It stays as it is until Ctrl-C. Look around from another terminal, as root:\n',
    ...blocks,
    `${paint('what crosses the internet', 'bold')}\n  ip netns exec ${internet} tcpdump -ni internet udp\n`,
  ].join('\n')
}

function plainTable(head: readonly string[]): Table.Table {
  return new Table({
    head: head.map((heading) => paint(heading, 'bold')),
    // cli-table3 colours headings and borders unless told not to.
    style: { head: [], border: [], compact: true },
  })
}

function milliseconds(ms: number): string {
  return `${ms.toFixed(ms < 10 ? 1 : 0)} ms`
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

try {
  await main()
} catch (error) {
  process.stderr.write(`demo: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}\n`)
  process.exitCode = error instanceof UserError ? error.exitCode : 1
}
