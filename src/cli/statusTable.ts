/**
 * `tunnelbore status` for people, laid out as `wg show` is: a block for the node, one for each peer, the peer of the
 * latest handshake first.
 */

import type {
  BootstrapStatus,
  NatStatus,
  PeerState,
  PeerStatus,
  SignStatus,
  Status,
} from '../daemon/status.js'
import { type Colour, type Paint, plain } from './colours.js'
import { humaniseAge, humaniseBytes, humaniseSeconds } from './humanise.js'

const STATE_COLOURS: Readonly<Record<PeerState, Colour>> = {
  idle: 'cyan',
  resolving: 'yellow',
  punching: 'yellow',
  direct: 'green',
  relayed: 'yellow',
  unreachable: 'red',
  external: 'cyan',
}

/** All nodes, a blank line between their blocks, ending in a line feed. */
export function renderStatuses(statuses: readonly Status[], paint: Paint = plain): string {
  return statuses.map((status) => renderStatus(status, paint)).join('\n')
}

/** One node and its peers, ending in a line feed. */
export function renderStatus(status: Status, paint: Paint = plain): string {
  const blocks = [
    nodeBlock(status, paint),
    ...byHandshake(status.peers).map((peer) => peerBlock(peer, paint)),
  ]
  return blocks.join('\n')
}

/** The latest handshake first and those without one last, in order of their keys, as `wg` sorts them. */
function byHandshake(peers: readonly PeerStatus[]): readonly PeerStatus[] {
  const age = (peer: PeerStatus): number => peer.lastHandshakeS ?? Number.POSITIVE_INFINITY
  return [...peers].sort((a, b) => {
    if (age(a) !== age(b)) return age(a) < age(b) ? -1 : 1
    return a.publicKey < b.publicKey ? -1 : 1
  })
}

function nodeBlock(status: Status, paint: Paint): string {
  const heading =
    status.interface === null
      ? paint('bootstrap node', 'green', 'bold')
      : `${paint('interface', 'green', 'bold')}: ${paint(status.interface, 'green')}`
  const { reflexive, udp } = status.nat
  return block(heading, paint, [
    ['public key', status.publicKey],
    ['network', status.mesh.enabled ? status.network : 'no mesh'],
    ['peer id', status.peerId],
    ['addresses', list(status.addresses)],
    ['reachable', status.reachable === null ? 'not known yet' : status.reachable ? 'yes' : 'no'],
    ['nat', natText(status.nat)],
    ['udp', udp === false ? paint('nothing gets out', 'red') : null],
    ['reflexive', list(reflexive)],
    ['mapped', list(status.mapped.map(mappedText))],
    ...status.bootstrap.map(
      (node): Row => ['bootstrap', `${node.multiaddr} (${bootstrapText(node, paint)})`],
    ),
    ['relaying', relayText(status)],
    ['mtu', status.mtu === null ? null : String(status.mtu)],
    ...status.warnings.map((warning): Row => ['warning', paint(warning, 'red')]),
    ['dropped', dropsText(status)],
    ['uptime', humaniseSeconds(status.uptimeS)],
    ['version', status.version],
  ])
}

function peerBlock(peer: PeerStatus, paint: Paint): string {
  const heading = `${paint('peer', 'yellow', 'bold')}: ${paint(peer.publicKey, 'yellow')}`
  const moved = peer.rxBytes > 0 || peer.txBytes > 0
  return block(heading, paint, [
    ['state', paint(peer.state, STATE_COLOURS[peer.state])],
    ['reason', peer.reason],
    ['path', pathText(peer)],
    ['name', nameText(peer)],
    ['loopback endpoint', peer.loopback],
    ['latest handshake', peer.lastHandshakeS === null ? null : humaniseAge(peer.lastHandshakeS)],
    [
      'transfer',
      moved ? `${humaniseBytes(peer.rxBytes)} received, ${humaniseBytes(peer.txBytes)} sent` : null,
    ],
    ['record', peer.recordAgeS === null ? null : `issued ${humaniseAge(peer.recordAgeS)}`],
    ['signs', signsText(peer)],
  ])
}

const SIGNS_SHOWN = 3

const DECISION_TEXTS: Readonly<Record<SignStatus['decision'], string>> = {
  nothing: 'nothing to be done',
  ask: 'asked its path',
  'use-both': 'used another path as well',
  check: 'checked its addresses',
  look: 'looked for it',
}

/** A label and its text; null: not shown. */
type Row = readonly [label: string, text: string | null]

function block(heading: string, paint: Paint, rows: readonly Row[]): string {
  const lines = rows.flatMap(([label, text]) => (text === null ? [] : [`  ${paint(label, 'bold')}: ${text}`]))
  return `${[heading, ...lines].join('\n')}\n`
}

function bootstrapText({ connected, lastError, nextTryInS }: BootstrapStatus, paint: Paint): string {
  if (connected) return paint('connected', 'green')
  const next = nextTryInS === undefined ? '' : `, next try in ${nextTryInS} s`
  return `${paint(lastError ?? 'connecting', 'yellow')}${next}`
}

/** The latest first, and no more than fit on a line. */
function signsText({ signs }: PeerStatus): string | null {
  if (signs.length === 0) return null
  return signs
    .slice(-SIGNS_SHOWN)
    .reverse()
    .map(({ sign, decision, agoS }) => `${sign} ${humaniseAge(agoS)} (${DECISION_TEXTS[decision]})`)
    .join(', ')
}

function pathText({ path }: PeerStatus): string | null {
  if (path === null) return null
  const rtt = path.rttMs === null ? '' : `, ${path.rttMs.toFixed(1)} ms`
  return `${path.remote} (${path.type}) from ${path.local}${rtt}, for ${humaniseSeconds(path.sinceS)}`
}

function nameText({ name: known }: PeerStatus): string | null {
  if (known === null) return null
  const { name, addresses, resolvedAgoS, againInS, failure } = known
  return [
    `${name} is ${addresses.length === 0 ? 'not known' : addresses.join(', ')}`,
    resolvedAgoS === null ? '' : `resolved ${humaniseAge(resolvedAgoS)}`,
    againInS === null ? '' : `again in ${humaniseSeconds(againInS)}`,
    failure === null ? '' : `failed: ${failure}`,
  ]
    .filter((part) => part !== '')
    .join('; ')
}

/** What is not known is not shown. */
function natText(nat: NatStatus): string {
  const { mapping, filtering, portPreserving, hairpinning, lifetimeS, secondNat } = nat
  if (mapping === 'none' && filtering === 'none') return 'none'
  const said = [
    `${mapping} mapping`,
    `${filtering} filtering`,
    { true: 'ports kept', false: 'ports changed', null: '' }[`${portPreserving}`],
    hairpinning === true ? 'hairpinning' : '',
    lifetimeS === null ? '' : `mappings live ${lifetimeS} s or more`,
    secondNat === true ? 'behind another NAT' : '',
  ]
  return said.filter((part) => part !== '').join(', ')
}

/** What it does for others; a relay that nobody has asked yet says nothing. */
function relayText({ relay }: Status): string | null {
  if (relay === null || relay.granted + relay.refused === 0) return null
  const { sessions, maxSessions, bytes, refused } = relay
  const refusals = refused === 0 ? '' : `, ${refused} refused`
  return `${sessions} of at most ${maxSessions} sessions, ${humaniseBytes(bytes)} passed on${refusals}`
}

function mappedText({ protocol, by, internal, external, verdict }: Status['mapped'][number]): string {
  const doubt = { believed: '', unconfirmed: ', not confirmed yet', 'second-nat': ', behind a second NAT' }[
    verdict
  ]
  return `${protocol} ${external} to ${internal} (${by}${doubt})`
}

function dropsText({ drops }: Status): string | null {
  const reasons = Object.entries(drops).map(([reason, count]) => `${reason} ${count}`)
  return list(reasons)
}

function list(texts: readonly string[]): string | null {
  return texts.length === 0 ? null : texts.join(', ')
}
