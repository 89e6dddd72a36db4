/** One connection as a Markdown page: a few lines of prose, and a mermaid sequence diagram. */

import { type Connection, type End, PARTIES, type Party, type Step } from './connection.js'

/** The page, ending in a line feed; it says so where there was no connection. `replay` is the command that gives it again. */
export function renderSequence(connection: Connection | undefined, replay: string): string {
  if (connection === undefined)
    return `# Nobody reaches anybody\n\nNo connection was wanted before the end of \`${replay}\`.\n`
  const [a, b] = connection.ends
  return [
    `# ${a.name} reaches ${b.name}`,
    '',
    ...prose(connection),
    '',
    '```mermaid',
    'sequenceDiagram',
    ...PARTIES.filter((party) => isThere(party, a, b)).map(
      (party) => `  participant ${party} as ${partyName(party, a, b)}`,
    ),
    ...folded(connection.steps).map((step) => `  ${arrow(step, a, b)}`),
    ...ending(connection).map((note) => `  Note over wireguardA,wireguardB: ${note}`),
    '```',
    '',
    `Drawn by \`${replay} --sequence <file.md>\`.`,
    '',
  ].join('\n')
}

function prose({ ends: [a, b], steps, answeredMs }: Connection): readonly string[] {
  const between = steps.filter(({ from, to }) => isEngine(from) && isEngine(to))
  const arrived = between.filter(({ tookMs }) => tookMs !== undefined)
  const ask = (word: string) => steps.filter(({ to, what }) => to === 'mesh' && what.startsWith(word)).length
  return [
    `${placed(a)} has a packet for ${placed(b)}, and no path is known. All times count from then, in milliseconds.`,
    answeredMs === undefined
      ? 'The packet was not answered while it was watched.'
      : `The packet was answered after ${figure(answeredMs)} ms.`,
    `It took ${counted(ask('look-up'), 'look-up')}, ${counted(ask('knock'), 'knock')} and ${counted(between.length, 'datagram')} between the two, of which ${arrived.length} arrived.`,
    'An arrow stands where its message was sent; one that ends in a cross was lost, or not let in.',
  ]
}

/** What the diagram shows of a step; equal steps that were lost one right after the other are one arrow. */
interface Arrow extends Step {
  readonly times: number
}

function folded(steps: readonly Step[]): readonly Arrow[] {
  const arrows: Arrow[] = []
  for (const step of steps) {
    const last = arrows.at(-1)
    const repeats =
      last !== undefined &&
      step.tookMs === undefined &&
      last.tookMs === undefined &&
      last.from === step.from &&
      last.what === step.what
    if (repeats) arrows[arrows.length - 1] = { ...last, times: last.times + 1 }
    else arrows.push({ ...step, times: 1 })
  }
  return arrows
}

function arrow({ atMs, from, to, what, tookMs, times }: Arrow, a: End, b: End): string {
  const count = times === 1 ? '' : ` (${times} times)`
  if (tookMs === undefined)
    return `${from}-x${doorOf(to, a, b)}: ${figure(atMs)} ${cleaned(what)}${count}, not let in or lost`
  const took = tookMs > 0 ? `, ${figure(tookMs)} on its way` : ''
  return `${from}->>${to}: ${figure(atMs)} ${cleaned(what)}${took}`
}

function ending({ answeredMs }: Connection): readonly string[] {
  return answeredMs === undefined ? [] : [`${figure(answeredMs)} the packet is answered`]
}

/** Where something ends that does not get in: at the gateway, where there is one. */
function doorOf(party: Party, a: End, b: End): Party {
  if (party === 'tunnelboreA' && a.gateway !== undefined) return 'gatewayA'
  return party === 'tunnelboreB' && b.gateway !== undefined ? 'gatewayB' : party
}

function isThere(party: Party, a: End, b: End): boolean {
  if (party === 'gatewayA') return a.gateway !== undefined
  return party !== 'gatewayB' || b.gateway !== undefined
}

function partyName(party: Party, a: End, b: End): string {
  const names: Readonly<Record<Party, string>> = {
    wireguardA: `WireGuard of ${a.name}`,
    tunnelboreA: `Tunnelbore of ${a.name}`,
    gatewayA: `gateway of ${a.name}`,
    mesh: 'mesh server',
    gatewayB: `gateway of ${b.name}`,
    tunnelboreB: `Tunnelbore of ${b.name}`,
    wireguardB: `WireGuard of ${b.name}`,
  }
  return cleaned(names[party])
}

function placed({ name, gateway }: End): string {
  return gateway === undefined ? `${name} (in the open)` : `${name} (behind ${gateway})`
}

function isEngine(party: Party): boolean {
  return party === 'tunnelboreA' || party === 'tunnelboreB'
}

/** Without what ends a statement, or begins a comment or an entity, in mermaid. */
function cleaned(text: string): string {
  return text.replace(/[;#\n]/g, ',').replaceAll('%%', '%')
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

function figure(ms: number): string {
  return ms.toFixed(1)
}
