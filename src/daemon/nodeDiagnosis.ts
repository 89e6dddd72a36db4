/** What `tunnelbore doctor` says of a running node: what its status means, and what mends it. */

import { type Finding, finding, ok } from './finding.js'
import type { NatStatus, Status } from './status.js'

export function diagnoseNode(status: Status): readonly Finding[] {
  const { nat } = status
  if (!status.mesh.enabled)
    return [withoutMesh(status), ...lifetime(nat), ...names(status), ...peers(status), ...warnings(status)]
  return [
    mesh(status),
    ...(status.interface === null
      ? []
      : [
          udp(status),
          ...natKind(status),
          ...lifetime(nat),
          ...circuitRelays(status),
          ...memberRelays(status),
        ]),
    ...names(status),
    ...peers(status),
    ...warnings(status),
  ]
}

/** Each of them says what is wrong, and after the last semicolon what mends it. */
function warnings({ warnings: all }: Status): readonly Finding[] {
  return all.map((text) => {
    const [says = '', mend = 'see its log'] = text.split(/; (?!.*; )/)
    return finding('warning', 'node', says, mend)
  })
}

function withoutMesh({ peers: all }: Status): Finding {
  const named = all.filter(({ name }) => name !== null).length
  const says = `none (--no-mesh): ${named} of ${all.length} peers have a name, others the endpoints that WireGuard has`
  return ok('mesh', says)
}

/** Names that lead nowhere. */
function names({ peers: all }: Status): readonly Finding[] {
  return all.flatMap(({ name: known }) => {
    if (known === null || known.failure === null) return []
    const says = `${known.name} was not resolved: ${known.failure}`
    const mend = 'see that the name is right, and that a name server is reached without the tunnel'
    // What it led to before is still tried.
    return [finding(known.addresses.length === 0 ? 'warning' : 'note', 'name', says, mend)]
  })
}

function mesh({ mesh: { servers }, bootstrap, reachable, interface: name }: Status): Finding {
  if (servers === 1) return ok('mesh', 'connected to one node that serves')
  if (servers > 0) return ok('mesh', `connected to ${servers} nodes that serve`)
  if (name === null || reachable === true) {
    const mend = 'nothing, for the first node of a mesh; else name another with --bootstrap'
    return finding('note', 'mesh', 'no other node that serves is connected', mend)
  }
  const [first] = bootstrap
  if (first === undefined)
    return finding('failure', 'mesh', 'no node that serves is known', 'name a reachable one with --bootstrap')
  const why = bootstrap.map(({ lastError }) => lastError).find((error) => error !== undefined)
  const says = `no node that serves is connected${why === undefined ? '' : `: ${why}`}`
  const mend = `see that ${first.multiaddr} runs and that TCP gets there; any living node of the mesh will do`
  return finding('failure', 'mesh', says, mend)
}

function udp({ nat: { udp: getsOut }, mesh: { memberRelays: count } }: Status): Finding {
  if (getsOut === true) return ok('udp', 'UDP gets out')
  if (getsOut === null) {
    const mend = 'connect to a mesh with nodes that reflect, or name a STUN server with --stun'
    return finding('note', 'udp', 'whether UDP gets out is not known: nobody could be asked', mend)
  }
  const mend = 'allow outgoing UDP in the firewall of this machine, or of its network'
  if (count === 0) return finding('failure', 'udp', 'no UDP gets out, and no relay is there to be used', mend)
  return finding('warning', 'udp', 'no UDP gets out: peers are reached over TCP, through member relays', mend)
}

function natKind({ nat, reachable, interface: name }: Status): readonly Finding[] {
  const { mapping, filtering, secondNat, hairpinning, portPreserving } = nat
  const forward =
    'forward its UDP and TCP port at the gateway, or have the gateway map ports (UPnP, NAT-PMP, PCP)'
  const about = 'nat'
  const above = secondNat === true ? [aboveIt()] : []
  if (mapping === 'unknown') {
    const mend = `wait for ${name}'s first answers; two servers at different addresses are needed`
    return [finding('note', about, 'its kind is not known yet', mend), ...above]
  }
  if (mapping === 'none') {
    if (reachable === true || filtering === 'none' || filtering === 'unknown')
      return [ok(about, 'none: this machine has a public address')]
    const says = 'none, but a firewall lets nobody in who was not sent to'
    return [finding('note', about, says, "allow the node's UDP and TCP port, and it can serve others")]
  }
  const traits = [
    portPreserving === true ? 'it keeps ports' : '',
    hairpinning === true ? 'it hairpins' : '',
    filtering === 'unknown' ? 'how it filters is not known' : '',
  ].filter((trait) => trait !== '')
  const said = (text: string) => [text, ...traits].join('; ')
  if (mapping !== 'endpoint-independent') {
    const says = said(
      'hard (symmetric): paths to peers behind usual NATs are guessed, behind hard ones relayed',
    )
    return [finding('warning', about, says, forward), ...above]
  }
  if (filtering === 'endpoint-independent')
    return [ok(about, said('easy (full cone): everybody gets in')), ...above]
  const kind = { 'address-dependent': 'address-restricted', 'address-and-port-dependent': 'port-restricted' }
  const named = filtering === 'address-dependent' || filtering === 'address-and-port-dependent'
  const text = `usual${named ? ` (${kind[filtering]})` : ''}: paths are punched, to symmetric ones by guessing ports`
  return [finding('note', about, said(text), forward), ...above]
}

function aboveIt(): Finding {
  const says = 'there is another NAT above the nearest gateway (carrier-grade, or a second router)'
  const mend =
    'ports mapped at the nearest gateway are of no use: ask the provider for a public address or IPv6'
  return finding('warning', 'second nat', says, mend)
}

/** Shorter than most (RFC 4787 section 4.3 asks for two minutes). */
const SHORT_LIFETIME_S = 30

function lifetime({ lifetimeS }: NatStatus): readonly Finding[] {
  if (lifetimeS === null) return []
  if (lifetimeS >= SHORT_LIFETIME_S)
    return [ok('mappings', `they live ${lifetimeS} s or more without a packet`)]
  const says = `they are known to live ${lifetimeS} s only: paths in use are asked more often`
  return [finding('note', 'mappings', says, "raise the gateway's timeout for UDP")]
}

function circuitRelays({ mesh: { relays, servers }, reachable }: Status): readonly Finding[] {
  const about = 'circuit relays'
  if (reachable === true) return [ok(about, 'none is needed: others reach this node')]
  if (relays > 0)
    return [ok(about, `knocks reach this node through ${relays === 1 ? 'one' : `${relays} of them`}`)]
  if (servers === 0) return []
  const mend = 'run one more reachable node (tunnelbore bootstrap); see its log for what it refuses'
  return [finding('warning', about, 'none: others cannot wake this node at once', mend)]
}

/** Who passes packets on where no direct path is found. */
function memberRelays({ mesh: { memberRelays: count, servers, closed } }: Status): readonly Finding[] {
  const about = 'member relays'
  if (count > 0) {
    const there = count === 1 ? 'one is' : `${count} are`
    return [ok(about, `${there} there for peers that no direct path leads to`)]
  }
  if (servers === 0) return []
  const says = 'none: a peer that no direct path leads to is not reached'
  if (closed)
    return [finding('warning', about, says, 'run a reachable node without --no-relay, best two of them')]
  const mend = 'close the network with --network-key; or make a peer reachable'
  return [finding('warning', about, `${says}; in an open network only peers relay`, mend)]
}

function peers({ peers: all, mesh: { enabled } }: Status): readonly Finding[] {
  return all
    .filter(({ state }) => state === 'unreachable')
    .map(({ publicKey, reason, name }) => {
      const says = `${publicKey} is unreachable${reason === null ? '' : `: ${reason}`}`
      const look =
        enabled && name === null
          ? `tunnelbore resolve ${publicKey} shows its record`
          : `see tunnelbore why ${publicKey}`
      return finding('warning', 'peer', says, `see that it runs; ${look}`)
    })
}
