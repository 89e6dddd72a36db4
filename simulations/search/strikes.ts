/**
 * What each fault does to a world, and how it is undone.
 *
 * Faults overlap: what two of them take away is there again when both are over. What cannot befall a host in its state
 * does not: one that is off does not fall asleep, one that sleeps is started when it wakes.
 */

import type { SocketAddress } from '../../src/base/address.js'
import { SECOND } from '../../src/base/time.js'
import type { StorerBehaviour as Behaviour } from '../discovery/storer.js'
import type { Machine } from '../hosts/machine.js'
import type { RelayBehaviour as RelayLike } from '../hosts/relaySessions.js'
import { WIREGUARD_PORT } from '../hosts/wireguardHost.js'
import type { Place } from '../network/place.js'
import type { Site } from '../network/site.js'
import type { World } from '../world.js'
import type { Attacker } from './attacker.js'
import type { Case } from './case.js'
import type { Fault, HostFault, HostileFault, MeshFault, NetworkFault, StorerBehaviour } from './fault.js'
import { Spells } from './spells.js'
import { MOST_SKEW_MS } from './topologyArbitraries.js'

/** Nobody is there (RFC 5737). */
const NOBODY: SocketAddress = { ip: '192.0.2.99', port: 9 }

/** Longer than checks are waited for. */
const LATE_MS = 3 * SECOND

/** Longer than a look-up waits for one server. */
const SLOW_MS = 8 * SECOND

export class Strikes {
  readonly #world: World
  readonly #case: Case
  readonly #attacker: Attacker | undefined
  readonly #spells: Spells
  /** Partitions that are on. */
  readonly #partitions = new Set<Extract<Fault, { readonly type: 'partition' }>>()
  /** By site, what is on, in the order in which it began. */
  readonly #impairments = new Map<number, Extract<Fault, { readonly type: 'link-impaired' }>[]>()

  /** The attacker may be missing where no fault is hostile. */
  constructor(world: World, whole: Case, attacker: Attacker | undefined) {
    this.#world = world
    this.#case = whole
    this.#attacker = attacker
    this.#spells = new Spells(world.queue)
  }

  /** `what` says it in words, to those who watch. */
  strike(fault: Fault, what: string): void {
    for (const observer of this.#world.observers) observer.happened?.(what)
    switch (fault.type) {
      case 'gateway-reboots':
      case 'gateway-renumbered':
      case 'partition':
      case 'site-cut-off':
      case 'udp-blocked':
      case 'link-impaired':
        this.#strikeNetwork(fault)
        break
      case 'server-down':
      case 'bad-storer':
      case 'relay-restarts':
      case 'bad-relay':
        this.#strikeMesh(fault)
        break
      case 'forged-knocks':
      case 'replayed-knocks':
      case 'replayed-gossip':
      case 'replayed-datagrams':
      case 'spoofed-checks':
      case 'mirrored-checks':
      case 'junk-flood':
      case 'forged-first-messages':
      case 'spoofed-data':
        this.#attack(fault)
        break
      default:
        this.#strikeHost(fault)
    }
  }

  #strikeNetwork(fault: NetworkFault): void {
    if (fault.type === 'partition') {
      this.#partitions.add(fault)
      this.#divide()
      this.#world.queue.in(fault.forMs, () => {
        this.#partitions.delete(fault)
        this.#divide()
      })
      return
    }
    const site = this.#world.internet.sites[fault.site]
    if (site === undefined) return
    switch (fault.type) {
      case 'gateway-reboots':
        site.rebootGateway()
        break
      case 'gateway-renumbered':
        site.renumberGateway()
        break
      case 'site-cut-off':
        this.#last(`cut ${fault.site}`, fault.forMs, (isOn) => site.setUp(!isOn))
        break
      case 'udp-blocked':
        this.#last(`udp ${fault.site}`, fault.forMs, (isOn) => site.setUdp(!isOn && site.spec.udp))
        break
      case 'link-impaired':
        this.#impair(site, fault)
        break
    }
  }

  /** Each partition divides what the others left together. */
  #divide(): void {
    const { internet, servers } = this.#world
    const sides = new Map<Site | Place<Site>, number>()
    let bit = 1
    for (const { sites, servers: cutServers } of this.#partitions) {
      for (const index of sites) add(internet.sites[index])
      for (const index of cutServers) add(servers[index]?.place)
      bit *= 2
    }
    internet.partition(sides)

    function add(where: Site | Place<Site> | undefined): void {
      if (where !== undefined) sides.set(where, (sides.get(where) ?? 0) + bit)
    }
  }

  /** The latest is in force. */
  #impair(site: Site, fault: Extract<Fault, { readonly type: 'link-impaired' }>): void {
    const on = this.#impairments.get(fault.site) ?? []
    this.#impairments.set(fault.site, on)
    on.push(fault)
    site.setLink(fault.link)
    this.#world.queue.in(fault.forMs, () => {
      on.splice(on.indexOf(fault), 1)
      site.setLink(on.at(-1)?.link ?? site.spec.link)
    })
  }

  #strikeHost(fault: HostFault): void {
    if ('pair' in fault) {
      this.#strikePair(fault)
      return
    }
    const machine = this.#world.machines[fault.host]
    if (machine === undefined) return
    switch (fault.type) {
      case 'roams':
        this.#roam(machine, fault.to, fault.awayMs)
        break
      case 'sleeps':
        this.#last(`sleep ${fault.host}`, fault.forMs, (isOn) => {
          if (isOn) machine.sleep()
          else machine.wake()
        })
        break
      case 'daemon-crashes':
        if (!fault.keepsState) machine.loseState()
        this.#withoutDaemon(fault.host, machine, fault.forMs, () => machine.crash())
        break
      case 'daemon-stops':
        this.#withoutDaemon(fault.host, machine, fault.forMs, () => machine.stop())
        break
      case 'host-reboots':
        machine.reboot(fault.forMs)
        break
      case 'disk-replaced':
        machine.loseState()
        this.#withoutDaemon(fault.host, machine, fault.forMs, () => machine.crash())
        this.#jumpClock(machine, -fault.behindMs)
        break
      case 'clock-jumps':
        this.#jumpClock(machine, fault.byMs)
        break
    }
  }

  #jumpClock(machine: Machine, byMs: number): void {
    const ahead = machine.clock.unix - this.#world.queue.now.unix
    const wanted = Math.max(-MOST_SKEW_MS, Math.min(MOST_SKEW_MS, ahead + byMs))
    machine.jumpClock(wanted - ahead)
  }

  #strikePair(fault: Extract<HostFault, { readonly pair: number }>): void {
    const [first, second] = this.#ends(fault.pair)
    if (first === undefined || second === undefined) return
    if (fault.type === 'pair-roams') {
      for (const [end, machine] of [first, second].entries())
        this.#roam(machine, fault.to[end] ?? 0, fault.awayMs)
      return
    }
    const [by, peer] = fault.byFirst ? [first, second] : [second, first]
    if (fault.type === 'peer-removed') {
      this.#last(`peer ${by.name} ${peer.name}`, fault.forMs, (isOn) => {
        if (isOn) by.removePeer(peer.publicKey)
        else by.addPeer(peer.publicKey)
      })
      return
    }
    const ip = peer.places[0]?.ips[0]
    const there = ip === undefined ? NOBODY : { ip, port: WIREGUARD_PORT }
    by.wireguard.setEndpoint(peer.publicKey, fault.to === 'peer' ? there : NOBODY)
  }

  #roam(machine: Machine, to: number, awayMs: number): void {
    const place = this.#world.internet.sites[to]?.place()
    if (place === undefined) return
    if (awayMs > 0) machine.moveTo([])
    this.#world.queue.in(awayMs, () => machine.moveTo([place]))
  }

  #withoutDaemon(host: number, machine: Machine, forMs: number, end: () => void): void {
    this.#spells.cast(`daemon ${host}`, forMs, end, () => machine.clock.in(0, () => machine.start()))
  }

  #strikeMesh(fault: MeshFault): void {
    const server = this.#world.servers[fault.server]
    if (server === undefined) return
    switch (fault.type) {
      case 'server-down':
        this.#last(`server ${fault.server}`, fault.forMs, (isOn) => {
          if (!isOn) server.restore()
          else if (fault.how === 'hang') server.hang()
          else if (fault.how === 'power') server.cut()
          else server.crash()
        })
        break
      case 'bad-storer':
        this.#last(`storer ${fault.server}`, fault.forMs, (isOn) =>
          server.behave(isOn ? behaviourOf(fault.behaviour) : undefined),
        )
        break
      case 'relay-restarts':
        // One that is down stays so until its fault is over.
        if (server.mesh.isAnswering) server.restart()
        break
      case 'bad-relay':
        this.#last(`relay ${fault.server}`, fault.forMs, (isOn) =>
          server.relayLike(isOn ? relayBehaviourOf(fault.behaviour) : undefined),
        )
    }
  }

  #attack(fault: HostileFault): void {
    const attacker = this.#attacker
    if (attacker === undefined) return
    if (!('pair' in fault)) {
      const victim = this.#world.machines[fault.host]
      if (victim === undefined) return
      if (fault.type === 'junk-flood') attacker.flood(victim, fault.perSecond, fault.forMs)
      else attacker.replayDatagrams(victim, fault.count)
      return
    }
    const [victim, peer] = this.#ends(fault.pair)
    if (victim === undefined || peer === undefined) return
    switch (fault.type) {
      case 'forged-knocks':
        attacker.forgeKnocks(victim, peer, fault.count)
        break
      case 'replayed-knocks':
        attacker.replayKnocks(victim, peer, fault.count)
        break
      case 'replayed-gossip':
        attacker.replayGossip(victim, peer, fault.count)
        break
      case 'spoofed-checks':
        attacker.spoofChecks(victim, peer, fault.count)
        break
      case 'mirrored-checks':
        attacker.mirrorChecks(victim, peer, fault.count)
        break
      case 'forged-first-messages':
        attacker.forgeHandshakes(victim, peer, fault.count)
        break
      case 'spoofed-data':
        attacker.spoofData(victim, peer, fault.count)
        break
    }
  }

  #ends(pair: number): readonly [Machine | undefined, Machine | undefined] {
    const [a, b] = this.#case.topology.pairs[pair] ?? []
    const { machines } = this.#world
    return [a === undefined ? undefined : machines[a], b === undefined ? undefined : machines[b]]
  }

  #last(name: string, forMs: number, set: (isOn: boolean) => void): void {
    this.#spells.cast(
      name,
      forMs,
      () => set(true),
      () => set(false),
    )
  }
}

function relayBehaviourOf(type: Extract<Fault, { readonly type: 'bad-relay' }>['behaviour']): RelayLike {
  switch (type) {
    case 'delays':
      return { type, byMs: LATE_MS }
    case 'replays':
      return { type, afterMs: LATE_MS }
    default:
      return { type }
  }
}

function behaviourOf(type: StorerBehaviour): Behaviour {
  return type === 'slow' ? { type, ms: SLOW_MS } : { type }
}
