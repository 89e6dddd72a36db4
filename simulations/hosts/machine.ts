/**
 * A host that has WireGuard, and Tunnelbore beside it: what survives a crash of the daemon, and what befalls a host.
 *
 *                daemon      WireGuard's sessions   its endpoints      state file
 *   stop         ends        go on                  are put back       former endpoints: none
 *   crash        ends        go on                  stay               stays
 *   sleep        stands      are forgotten, or age  stay               stays
 *   reboot       ends        are lost               as the user set    stays
 */

import type { PublicKey } from '../../src/base/publicKey.js'
import { forked, type Random } from '../../src/base/random.js'
import type { NodeKeys } from '../../src/crypto/nodeKeys.js'
import type { Cryptography } from '../crypto/cryptography.js'
import { verifyStandInIdentity } from '../crypto/identity.js'
import type { EventQueue } from '../network/eventQueue.js'
import type { Place } from '../network/place.js'
import type { Observer } from '../observer.js'
import { HostClock } from './clock.js'
import { Daemon } from './daemon.js'
import type { MeshAccess } from './meshAccess.js'
import type { Ping } from './pinger.js'
import { StateFile } from './stateFile.js'
import type { PeerSettings, WireGuard } from './wireguard.js'
import { WireGuardHost } from './wireguardHost.js'

/** What --network says, everywhere. */
export const NETWORK = 'tunnelbore'

const PRIVATE_KEY_LENGTH = 32
const IDENTITY_LENGTH = 32

export interface MachineOptions {
  readonly name: string
  readonly queue: EventQueue
  /** All that it draws comes from here. */
  readonly random: Random
  readonly cryptography: Cryptography
  readonly mesh: MeshAccess
  readonly places: readonly Place[]
  readonly observers: readonly Observer[]
  /** How far its wall clock is ahead. */
  readonly clockAheadMs?: number
  /** See {@link WireGuardOptions.forgetsKeysInSleep}. */
  readonly forgetsKeysInSleep?: boolean
  /** See {@link DaemonOptions.readsAlways}. */
  readonly readsAlways?: boolean
}

export class Machine {
  readonly host: WireGuardHost
  readonly identity: Uint8Array
  readonly stateFile = new StateFile()
  /** For those who look from outside: each daemon has its own. */
  readonly keys: NodeKeys
  readonly #options: MachineOptions
  readonly #privateKey: Uint8Array
  readonly #daemonRandom: Random
  #daemon: Daemon | undefined = undefined
  #hasEnded = false
  /** Where it comes up again; undefined while it is up. */
  #waitingPlaces: readonly Place[] | undefined = undefined

  constructor(options: MachineOptions) {
    const { name, queue, random, cryptography, observers, clockAheadMs, forgetsKeysInSleep = true } = options
    this.#options = options
    this.#privateKey = random.bytes(PRIVATE_KEY_LENGTH)
    this.identity = random.bytes(IDENTITY_LENGTH)
    this.keys = cryptography.nodeKeys(this.#privateKey)
    const wireguardRandom = forked(random)
    this.#daemonRandom = forked(random)
    this.host = new WireGuardHost({
      name,
      clock: new HostClock(queue, clockAheadMs),
      observers,
      publicKey: this.keys.publicKey,
      keys: cryptography.wireguardKeys(this.#privateKey),
      random: wireguardRandom,
      forgetsKeysInSleep,
    })
    for (const place of options.places) this.host.attach(place)
  }

  get name(): string {
    return this.host.name
  }

  get publicKey(): PublicKey {
    return this.host.publicKey
  }

  get clock(): HostClock {
    return this.host.clock
  }

  get wireguard(): WireGuard {
    return this.host.wireguard
  }

  get places(): readonly Place[] {
    return this.#waitingPlaces ?? this.host.places
  }

  /** The run that is under way; undefined where Tunnelbore does not run. */
  get daemon(): Daemon | undefined {
    return this.#daemon
  }

  /** True where no daemon runs, and the last one was ended as it should be. */
  get hasEnded(): boolean {
    return this.#hasEnded
  }

  /** How often what it has on disk was lost. */
  get diskLosses(): number {
    return this.stateFile.losses
  }

  /** False while it is off. */
  get isUp(): boolean {
    return this.#waitingPlaces === undefined
  }

  // Tunnelbore

  start(): void {
    if (this.#daemon !== undefined || !this.isUp) return
    const { cryptography, mesh, readsAlways = false } = this.#options
    this.#happened('starts tunnelbore')
    const keys = cryptography.nodeKeys(this.#privateKey)
    const daemon = new Daemon({
      host: this.host,
      keys,
      sealing: cryptography.recordSealing(keys, NETWORK),
      identity: this.identity,
      verifyIdentity: verifyStandInIdentity,
      random: forked(this.#daemonRandom),
      mesh,
      stateFile: this.stateFile,
      openRecord: cryptography.openRecord,
      readsAlways,
    })
    this.#daemon = daemon
    this.#hasEnded = false
    daemon.start()
  }

  /** Ends it as it should be ended. */
  stop(): void {
    if (this.#daemon === undefined) return
    this.#happened('stops tunnelbore')
    this.#daemon.stop()
    this.#daemon = undefined
    this.#hasEnded = true
  }

  /** Kills it. */
  crash(): void {
    if (this.#daemon === undefined) return
    this.#happened('loses tunnelbore to SIGKILL')
    this.#daemon.crash()
    this.#daemon = undefined
  }

  /** What the daemon has on disk is gone. One that runs knows it still, and writes it again with the next change. */
  loseState(): void {
    this.#happened('loses its state file')
    this.stateFile.lose()
  }

  // The host

  /** Loses its power, and is up again after a time, with Tunnelbore if that ran. */
  reboot(downMs: number): void {
    if (!this.isUp) return
    this.#happened(`is down for ${downMs} ms`)
    const ran = this.#daemon !== undefined
    this.#daemon?.crash('silent')
    this.#daemon = undefined
    this.clock.wake()
    this.wireguard.shutDown()
    this.#waitingPlaces = [...this.host.places]
    this.#leaveAll()
    this.clock.in(downMs, () => {
      const places = this.#waitingPlaces ?? []
      this.#waitingPlaces = undefined
      this.#happened('is up again')
      for (const place of places) this.host.attach(place)
      this.wireguard.startUp()
      if (ran) this.start()
    })
  }

  sleep(): void {
    if (!this.isUp || this.clock.asleep) return
    this.#happened('falls asleep')
    this.wireguard.suspend()
    this.clock.sleep()
    if (this.#daemon !== undefined) this.#options.mesh.waysChanged(this.#daemon)
  }

  /** Its links come up again, of which the daemon hears as of any change of the network. */
  wake(): void {
    if (!this.clock.asleep) return
    this.#happened('wakes up')
    this.clock.wake()
    if (this.#daemon === undefined) return
    this.#options.mesh.waysChanged(this.#daemon)
    this.#daemon.networkChanged()
  }

  /** It is at these places now, and at no others. Those where it stays keep their addresses. */
  moveTo(places: readonly Place[]): void {
    const ips = places.flatMap((place) => place.ips)
    this.#happened(ips.length === 0 ? 'is nowhere' : `is at ${ips.join(', ')}`)
    if (!this.isUp) {
      this.#waitingPlaces = places
      return
    }
    this.#leaveAll(places)
    for (const place of places) if (!this.host.places.includes(place)) this.host.attach(place)
    if (this.#daemon === undefined) return
    this.#options.mesh.moved(this.#daemon)
    this.#daemon.networkChanged()
  }

  /** Sets the wall clock forward, or back. */
  jumpClock(ms: number): void {
    this.#happened(`sets its clock ${ms < 0 ? 'back' : 'forward'} by ${Math.abs(ms)} ms`)
    this.clock.jump(ms)
  }

  // What the user does

  addPeer(publicKey: PublicKey, settings: PeerSettings = {}): void {
    this.wireguard.addPeer(publicKey, settings)
  }

  removePeer(publicKey: PublicKey): void {
    this.wireguard.removePeer(publicKey)
  }

  /** See {@link Pinger.ping}. */
  ping(peer: PublicKey, onAnswer?: (ping: Ping) => void): Ping {
    return this.host.ping(peer, onAnswer)
  }

  #leaveAll(but: readonly Place[] = []): void {
    for (const place of [...this.host.places]) {
      const [ip] = place.ips
      if (ip !== undefined && !but.includes(place)) this.host.detach(ip)
    }
  }

  #happened(what: string): void {
    for (const observer of this.#options.observers) observer.happened?.(`${this.name} ${what}`)
  }
}
