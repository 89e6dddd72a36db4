/**
 * Where this node is to others: what reflectors see, what is known of the NATs before us, which ports gateways have opened,
 * and whether others reach us. Each of these has something to tell the others.
 */

import type { Random } from '../base/random.js'
import { earliest, type Instant, type Now } from '../base/time.js'
import type { Candidate } from '../wire/candidate.js'
import { natOf } from './directory/ownContent.js'
import type { Emit } from './effects.js'
import type { Input, LocalSocket, MachineRoute } from './inputs.js'
import type { AddressProofs } from './path/addressProofs.js'
import { type NatInput, NatKnowledge } from './path/natKnowledge.js'
import { type MappingInput, PortMapping, type PortMappingOptions } from './path/portMapping.js'
import { Reflection } from './path/reflection.js'
import { Role, type RoleOption } from './role.js'
import type { NodeStatus } from './status.js'

export interface OwnAddressesParts {
  readonly emit: Emit
  readonly random: Random
  /** What reflectors prove of where we are. */
  readonly proofs: AddressProofs
  readonly role: RoleOption
  /** Absent where no gateway is to be asked for ports. */
  readonly portMapping: PortMappingOptions | undefined
  /** Who tells the mesh where we are. */
  readonly record: () => {
    setMapped(mapped: readonly Candidate[]): void
    describe(now: Now): void
  }
}

export class OwnAddresses {
  readonly reflection: Reflection
  readonly nat: NatKnowledge
  readonly role: Role
  readonly #portMapping: PortMapping
  readonly #parts: OwnAddressesParts

  constructor(parts: OwnAddressesParts) {
    this.#parts = parts
    const { emit, random, proofs } = parts
    this.reflection = new Reflection(emit, random, proofs)
    this.nat = new NatKnowledge(emit, random, this.reflection)
    this.#portMapping = new PortMapping(parts.portMapping, emit)
    this.role = new Role(parts.role, random, emit)
  }

  /** Our ports that gateways have opened. */
  get mapped(): readonly Candidate[] {
    return this.#portMapping.candidates
  }

  get status(): Pick<NodeStatus, 'serves' | 'reachable' | 'nat' | 'mapped'> {
    const { candidates } = this.reflection.findings
    const { serves, reachable } = this.role
    const { ports } = this.#portMapping.findings
    return {
      serves,
      reachable,
      nat: {
        ...natOf(this.reflection.findings),
        ...this.nat.status,
        reflexive: candidates.map(({ address }) => address),
      },
      mapped: ports,
    }
  }

  socketsChanged(sockets: readonly LocalSocket[], now: Now): void {
    this.role.setAddresses(
      sockets.map(({ address }) => address.ip),
      now.instant,
    )
    this.reflection.change({ sockets }, now.instant)
    this.#portMapping.change({ sockets }, now.instant)
    this.#portsMapped(now)
  }

  routesRead(routes: readonly MachineRoute[], now: Now): void {
    this.reflection.change({ routes }, now.instant)
    this.#portMapping.change({ routes }, now.instant)
    this.#portsMapped(now)
  }

  natTold(input: NatInput, now: Now): void {
    this.nat.handle(input, now.instant)
    this.#parts.record().describe(now)
  }

  gatewayTold(input: MappingInput, now: Now): void {
    this.#portMapping.handle(input, now.instant)
    this.#portsMapped(now)
    this.#parts.record().describe(now)
  }

  /** Who is there to be asked; before any of them is. */
  surrounded({ connected, witnesses = [] }: Extract<Input, { type: 'mesh-changed' }>, now: Now): void {
    this.role.setConnected(connected, now.instant)
    this.#parts.proofs.told(witnesses)
  }

  /** Who can send us probes. */
  meshChanged({ connected, udpProbers }: Extract<Input, { type: 'mesh-changed' }>, now: Now): void {
    this.nat.meshChanged(connected, udpProbers ?? [], now.instant)
  }

  /** A reflector has told where we are. */
  reflected(now: Now): void {
    this.nat.review(now.instant)
    this.#portMapping.setReflexive(this.reflection.findings.candidates, now.instant)
    this.#portsMapped(now)
    this.#parts.record().describe(now)
  }

  wake(now: Now): void {
    this.reflection.wake(now.instant)
    this.nat.wake(now.instant)
    this.#portMapping.wake(now.instant)
    this.#portsMapped(now)
    this.role.wake(now.instant)
  }

  get nextWake(): Instant | undefined {
    return [
      this.reflection.nextWake,
      this.reflection.settlesAt,
      this.nat.nextWake,
      this.#portMapping.nextWake,
      this.role.nextWake,
    ].reduce(earliest, undefined)
  }

  /** Tells the record, and whoever finds out whether we are reached, what gateways have opened. */
  #portsMapped(now: Now): void {
    // What the nearest gateway tells of itself.
    const ip = this.#portMapping.findings.ports[0]?.external.ip
    this.nat.handle({ type: 'external-address-told', ip }, now.instant)
    this.#parts.record().setMapped(this.#portMapping.candidates)
    this.role.setMapped(this.#portMapping.announced, now.instant)
  }
}
