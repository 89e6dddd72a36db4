/** A case in words: the networks, the hosts, who talks to whom, and what goes wrong when. */

import type { LinkSpec, NatSpec, SiteSpec } from '../topology.js'
import type { Case, Traffic } from './case.js'
import { earliestOf, type Fault, type Occasion } from './fault.js'

/** One line each. Hosts and servers have the names that the world gives them; sites are numbered likewise. */
export function describeCase(whole: Case): readonly string[] {
  const { topology, starts, traffic, schedule, lengthMs, judged, beforeMidnightMs, gossips, seed } = whole
  const { sites, hosts, servers, pairs } = topology
  const inOrder = [...schedule].sort((a, b) => earliestOf(a.when) - earliestOf(b.when))
  return [
    `${[
      quantity(hosts.length, 'host'),
      quantity(sites.length, 'site'),
      quantity(servers.length, 'server'),
      quantity(schedule.length, 'fault'),
    ].join(
      ', ',
    )}; ${clock(lengthMs)} of simulated time from ${clock(Math.abs(beforeMidnightMs))} ${beforeMidnightMs < 0 ? 'after' : 'before'} midnight; randomness from ${seed}${judged ? '' : '; engines see every record'}${gossips ? '' : '; nobody gossips'}`,
    ...sites.map((spec, index) => `  ${site(index)}: ${describeSite(spec)}`),
    ...hosts.map(
      ({ sites: at, clockAheadMs }, index) =>
        `  ${host(index)}: at ${at.map(site).join(' and ')}${clockAheadMs === 0 ? '' : `, its clock ${skew(clockAheadMs)}`}${starts[index] ? `, starts at ${clock(starts[index])}` : ''}`,
    ),
    ...servers.map(
      ({ region, relays }, index) => `  ${server(index)}: ${region}${relays ? ', a member relay' : ''}`,
    ),
    `  peers: ${pairs.map(([a, b]) => `${host(a)} and ${host(b)}`).join(', ')}`,
    ...traffic.map((pings) => `  ${describeTraffic(pings, whole)}`),
    ...inOrder.map(({ when, fault }) => `  ${describeOccasion(when)}: ${describeFault(fault, whole)}`),
  ]
}

/** `1:02.500` for minutes, seconds and milliseconds. */
export function clock(ms: number): string {
  const seconds = Math.floor(ms / 1_000)
  const whole = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
  const rest = Math.round(ms) % 1_000
  return rest === 0 ? whole : `${whole}.${String(rest).padStart(3, '0')}`
}

function describeSite(spec: SiteSpec): string {
  const parts: string[] = [spec.region]
  if (spec.behind !== undefined) parts.push(`behind ${site(spec.behind)}`)
  if (!spec.ipv4) parts.push('no IPv4')
  else parts.push(spec.nat === undefined ? 'public IPv4' : describeNat(spec.nat))
  if (spec.ipv6 !== 'none') parts.push(`IPv6 ${spec.ipv6}`)
  if (spec.firewall) parts.push('a stateful firewall')
  if (!spec.udp) parts.push('no UDP')
  if (spec.broken !== 'none') parts.push(`${spec.broken === 'ipv4' ? 'IPv4' : 'IPv6'} goes nowhere`)
  if (spec.isolated) parts.push('hosts kept apart')
  if (spec.portMapping !== 'none') parts.push(`port mapping ${spec.portMapping}`)
  parts.push(describeLink(spec.link))
  return parts.join('; ')
}

function describeNat(nat: NatSpec): string {
  const limits = [
    nat.ports === 'preserving' ? '' : `, ${nat.ports} ports`,
    nat.ports === 'sequential' && nat.portStep !== 1 ? ` by ${nat.portStep}` : '',
    nat.refreshedBy === 'both' ? '' : ', refreshed from inside only',
    nat.hairpin ? ', hairpins' : '',
    nat.maxMappings >= 65_536 ? '' : `, at most ${nat.maxMappings} mappings`,
    nat.addresses === 1 ? '' : `, ${nat.addresses} addresses`,
  ]
  return `NAT (mapping ${nat.mapping}, filtering ${nat.filtering}, for ${nat.lifetimeMs / 1_000} s${limits.join('')})`
}

function describeLink(link: LinkSpec): string {
  const flaws = [
    link.jitterMs > 0 ? `±${link.jitterMs} ms` : '',
    link.loss > 0 ? `loses ${percent(link.loss)} by ${link.lossBurst}` : '',
    link.reorder > 0 && link.reorderMs > 0 ? `${percent(link.reorder)} are ${link.reorderMs} ms late` : '',
    link.duplicate > 0 ? `doubles ${percent(link.duplicate)}` : '',
    link.rate > 0 ? `${link.rate} bytes a second, of which ${link.queue} wait` : '',
  ]
  return [`${link.delayMs} ms away`, ...flaws].filter((text) => text !== '').join(', ')
}

function describeTraffic(
  { pair, forwards, everyMs, fromMs, forMs }: Traffic,
  { topology, lengthMs }: Case,
): string {
  const [a = 0, b = 1] = topology.pairs[pair] ?? []
  const until = fromMs + forMs >= lengthMs ? 'the end' : clock(fromMs + forMs)
  return `${host(forwards ? a : b)} pings ${host(forwards ? b : a)} every ${everyMs / 1_000} s from ${clock(fromMs)} to ${until}`
}

function describeOccasion(when: Occasion): string {
  if ('atMs' in when) return clock(when.atMs)
  return `after ${clock(when.afterMs)}, at ${when.event} no. ${when.nth} of ${host(when.host)}`
}

/** What happens, as a sentence without its full stop. */
export function describeFault(fault: Fault, { topology }: Pick<Case, 'topology'>): string {
  const lasting = (ms: number): string => `for ${clock(ms)}`
  /** The names of a pair's ends. */
  const ends = (pair: number, byFirst = true): readonly [string, string] => {
    const [a = 0, b = 1] = topology.pairs[pair] ?? []
    return byFirst ? [host(a), host(b)] : [host(b), host(a)]
  }
  const attack = (pair: number, count: number, what: (victim: string, peer: string) => string): string =>
    `an attacker ${what(...ends(pair))}, ${times(count)}`
  switch (fault.type) {
    case 'gateway-reboots':
      return `the gateway of ${site(fault.site)} restarts`
    case 'gateway-renumbered':
      return `the gateway of ${site(fault.site)} gets another address`
    case 'partition': {
      const cut = [...fault.sites.map(site), ...fault.servers.map(server)]
      return `${cut.length === 0 ? 'nothing' : cut.join(', ')} is cut off from all the rest ${lasting(fault.forMs)}`
    }
    case 'site-cut-off':
      return `${site(fault.site)} has no way out ${lasting(fault.forMs)}`
    case 'udp-blocked':
      return `UDP does not pass at ${site(fault.site)} ${lasting(fault.forMs)}`
    case 'link-impaired':
      return `the link of ${site(fault.site)} is bad ${lasting(fault.forMs)}: ${describeLink(fault.link)}`
    case 'roams':
      return `${host(fault.host)} moves to ${site(fault.to)}, without any network ${lasting(fault.awayMs)}`
    case 'pair-roams':
      return `${ends(fault.pair).join(' and ')} move to ${fault.to.map(site).join(' and ')} at once, without any network ${lasting(fault.awayMs)}`
    case 'sleeps':
      return `${host(fault.host)} sleeps ${lasting(fault.forMs)}`
    case 'daemon-crashes':
      return `the daemon of ${host(fault.host)} is killed and gone ${lasting(fault.forMs)}; its state file ${fault.keepsState ? 'stays' : 'is lost'}`
    case 'disk-replaced':
      return `the disk of ${host(fault.host)} is replaced, its clock set back by ${clock(fault.behindMs)}, and its daemon is gone ${lasting(fault.forMs)}`
    case 'daemon-stops':
      return `the daemon of ${host(fault.host)} stops and is gone ${lasting(fault.forMs)}`
    case 'host-reboots':
      return `${host(fault.host)} reboots and is gone ${lasting(fault.forMs)}`
    case 'clock-jumps':
      return `the wall clock of ${host(fault.host)} jumps ${clock(Math.abs(fault.byMs))} ${fault.byMs < 0 ? 'back' : 'ahead'}`
    case 'peer-removed': {
      const [by, peer] = ends(fault.pair, fault.byFirst)
      return `${by} has ${peer} taken off its interface ${lasting(fault.forMs)}`
    }
    case 'endpoint-set': {
      const [by, peer] = ends(fault.pair, fault.byFirst)
      const where = fault.to === 'nobody' ? 'where nobody is' : 'the port of its WireGuard'
      return `another program on ${by} sets the endpoint of ${peer} to ${where}`
    }
    case 'server-down':
      return `${server(fault.server)} ${DOWN[fault.how]} ${lasting(fault.forMs)}`
    case 'bad-storer':
      return `${server(fault.server)} is a ${fault.behaviour} storer ${lasting(fault.forMs)}`
    case 'relay-restarts':
      return `${server(fault.server)} is started again`
    case 'bad-relay':
      return `${server(fault.server)} is a relay that ${fault.behaviour} ${lasting(fault.forMs)}`
    case 'replayed-datagrams':
      return `an attacker repeats what ${host(fault.host)} received, ${times(fault.count)}`
    case 'junk-flood':
      return `${host(fault.host)} is flooded with ${fault.perSecond} datagrams a second ${lasting(fault.forMs)}`
    case 'forged-knocks':
      return attack(fault.pair, fault.count, (victim, peer) => `knocks at ${victim} as ${peer}`)
    case 'replayed-knocks':
      return attack(fault.pair, fault.count, (victim, peer) => `repeats knocks of ${peer} at ${victim}`)
    case 'replayed-gossip':
      return attack(fault.pair, fault.count, (victim, peer) => `repeats to ${victim} what ${peer} gossiped`)
    case 'spoofed-checks':
      return attack(
        fault.pair,
        fault.count,
        (victim, peer) => `sends ${victim} checks as from ${peer} and answers its own`,
      )
    case 'mirrored-checks':
      return attack(fault.pair, fault.count, (victim, peer) => `sends ${victim} its own checks to ${peer}`)
    case 'forged-first-messages':
      return attack(fault.pair, fault.count, (victim, peer) => `sends ${victim} handshakes as from ${peer}`)
    case 'spoofed-data':
      return attack(fault.pair, fault.count, (victim, peer) => `sends ${victim} data as from ${peer}`)
  }
}

const DOWN = { clean: 'ends', hang: 'hangs', power: 'has no power' } as const

/** Names as world.ts gives them. */
function host(index: number): string {
  return `host${index + 1}`
}

function server(index: number): string {
  return `server${index + 1}`
}

function site(index: number): string {
  return `site${index + 1}`
}

function quantity(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`
}

function percent(share: number): string {
  return `${share * 100} %`
}

function skew(ms: number): string {
  return `${clock(Math.abs(ms))} ${ms < 0 ? 'behind' : 'ahead'}`
}
