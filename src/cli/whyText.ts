/** An explanation for people: the verdict in a sentence, what mends it, then what was found, one finding a line. */

import type { PublicKey } from '../base/publicKey.js'
import type { Explanation, Finding, NoDirectPath, Verdict } from '../engine/why.js'
import { type Paint, plain } from './colours.js'
import { humaniseAge, humaniseSeconds, plural } from './humanise.js'

/** Ends in a line feed. */
export function renderWhy(key: PublicKey, explanation: Explanation, paint: Paint = plain): string {
  const { verdict, effort, findings, state } = explanation
  const heading = `${paint('peer', 'yellow', 'bold')}: ${paint(key, 'yellow')}`
  const lines = [
    heading,
    `  ${paint('state', 'bold')}: ${state}`,
    `  ${paint('why', 'bold')}: ${sentence(verdict)}`,
  ]
  if (effort !== null) {
    const times = effort.attempts === 1 ? 'first attempt' : `${effort.attempts} attempts`
    const now = effort.underWay ? 'one is under way' : 'the next follows when WireGuard sends again'
    lines.push(
      `  ${paint('effort', 'bold')}: for ${humaniseSeconds(effort.sinceS)}, ${effort.attempts === 1 && effort.underWay ? times : `${times}, ${now}`}`,
    )
  }
  lines.push(...findings.map((finding) => `  - ${findingText(finding)}`))
  return `${lines.join('\n')}\n`
}

/** What a verdict says, with what mends it. */
export function sentence(verdict: Verdict): string {
  switch (verdict.type) {
    case 'external':
      return "external: it speaks to WireGuard's own port, and is left alone"
    case 'idle':
      return 'idle: nobody sent anything to it, so nothing is done'
    case 'direct': {
      const proof = verdict.proof === 'check' ? 'a check' : "WireGuard's own handshake"
      return `direct: to ${verdict.remote} for ${humaniseSeconds(verdict.sinceS)}, proved by ${proof}`
    }
    case 'relayed':
      return `relayed by ${verdict.relay} for ${humaniseSeconds(verdict.sinceS)}, because no direct check was answered${because(verdict.because)}`
    case 'handshake-unanswered':
      return 'checks pass, but the handshake is unanswered: preshared key or peer entry missing on one side; compare `wg show` on both'
    case 'path-silent':
      return `its path to ${verdict.remote} went silent: it moved or is off; it is looked for again, and the path stays in use`
    case 'under-way':
      return {
        'looking-up': 'its record is being looked up',
        resolving: 'its name is being resolved',
        knocking: 'it is being knocked on',
        checking: 'its addresses are being checked',
      }[verdict.doing]
    case 'offline':
      return 'no node of the mesh is connected, so nobody can say where it is; see the bootstrap nodes in `tunnelbore status`'
    case 'no-record':
      return 'no record of it was found: it never ran tunnelbore in this network, or has been off for long'
    case 'no-mesh':
      return verdict.addresses === 0
        ? 'there is no mesh (--no-mesh), and nobody said where it is: name it with --peer, or set its endpoint with `wg set`'
        : `there is no mesh (--no-mesh), and ${addresses(verdict.addresses)} of it did not answer: is it up, and is its port open?`
    case 'name-unresolved':
      return `its name ${verdict.name} leads nowhere: ${verdict.reason}; see that the name is right and that a name server is reached`
    case 'name-unanswered':
      return `its name ${verdict.name} leads to ${addresses(verdict.addresses)}, and nobody answers there: is it up, is its port open, and does it have this key as a peer?`
    case 'knock-not-arrived':
      return `${notArrived(verdict)}${noAnswer(verdict.addresses)}: it is off, or offline (${verdict.reason})`
    case 'knock-closed':
      return 'its node took our knock and did not answer it: the peer entry for this key is missing on its side; add it there with `wg set`'
    case 'nothing-to-check':
      return 'it answers knocks, but no address is known that it could be reached at from here; compare the address families on both sides'
    case 'checks-unanswered':
      return `checks sent to ${addresses(verdict.addresses)}, none answered${because(verdict.because)}`
  }
}

function notArrived({ relays }: Extract<Verdict, { type: 'knock-not-arrived' }>): string {
  return relays === 0
    ? 'record found, but no knock arrived'
    : `record found, but no knock arrived: ${relays === 1 ? 'the relay of its circuit did not lead to it' : `none of its ${relays} relays led to it`}`
}

function noAnswer(count: number): string {
  if (count === 1) return ', and the one address that was checked did not answer'
  return count === 0 ? '' : `, and none of ${addresses(count)} answered a check`
}

function addresses(count: number): string {
  return count === 1 ? '1 address' : `${count} addresses`
}

function because(reason: NoDirectPath): string {
  switch (reason) {
    case 'both-symmetric':
      return '; both NATs are symmetric: only a relay could help'
    case 'own-symmetric':
      return '; the NAT on this side is symmetric'
    case 'peer-symmetric':
      return '; the NAT on its side is symmetric'
    case 'one-way':
      return '; its own checks arrive here: a firewall on its side lets nothing in'
    case 'unknown':
      return '; UDP may be blocked on one side'
  }
}

function findingText(finding: Finding): string {
  switch (finding.type) {
    case 'traffic': {
      const passed = `last sent ${age(finding.lastSentS)}, last heard ${age(finding.lastHeardS)}`
      return `WireGuard's packets: ${passed}${finding.waits ? '; a first message waits for a path' : ''}`
    }
    case 'mesh':
      if (finding.off === true) return 'mesh: none (--no-mesh)'
      return finding.online ? 'mesh: connected' : 'mesh: no node is connected'
    case 'name': {
      const { name, addresses: all, resolvedS, againInS, failure } = finding
      const leads = all.length === 0 ? 'no address known' : all.join(', ')
      const when = resolvedS === null ? '' : `, resolved ${humaniseAge(resolvedS)}`
      const next = againInS === null ? '' : `, again in ${humaniseSeconds(againInS)}`
      return `name ${name}: ${leads}${when}${next}${failure === undefined ? '' : `; the last question failed: ${failure}`}`
    }
    case 'record':
      return `record: issued ${humaniseAge(finding.ageS)}, names ${addresses(finding.addresses)} and ${plural(finding.relays, 'relay')}`
    case 'no-record':
      return 'record: none known'
    case 'look-ups':
      return `look-ups: ${finding.begun}, of which ${finding.ended} ended`
    case 'knock': {
      const how = finding.how === 'stream' ? 'over a stream' : 'by gossip'
      const result = {
        waiting: 'no answer so far',
        answered: 'answered',
        closed: 'taken, and not answered',
        failed: `failed: ${finding.reason ?? ''}`,
      }[finding.result]
      return `knock ${how} ${humaniseAge(finding.agoS)}: ${result}`
    }
    case 'knocked-by-peer':
      return `it knocked ${humaniseAge(finding.agoS)}`
    case 'nat':
      return `NATs: ${finding.own} mapping here, ${finding.peer} mapping there`
    case 'relay': {
      const how = finding.throughStream ? ', through a stream in place of UDP' : ''
      return `relay: ${finding.address} for ${humaniseSeconds(finding.sinceS)}${how}`
    }
    case 'checks': {
      const { address, candidate, sent, answered, received, lastSentS, lastHeardS } = finding
      const ours = `${plural(sent, 'check')} sent, the last ${age(lastSentS)}; ${answered} answered`
      const theirs =
        received === 0 ? '' : `; ${received} of its own came from there, the last ${age(lastHeardS)}`
      return `${address} (${candidate}): ${ours}${theirs}`
    }
    case 'handshakes':
      return `handshakes: ${plural(finding.unanswered, 'first message')} in a row came to nothing`
  }
}

function age(seconds: number | null): string {
  return seconds === null ? 'never' : humaniseAge(seconds)
}
