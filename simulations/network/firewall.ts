/**
 * A stateful firewall, which translates nothing: what comes from outside is let in only where it answers what was sent, to
 * the address and port that it was sent from, from those that it was sent to. So do Linux's `ct state established` and
 * the "simple security" of IPv6 routers (RFC 6092; there REC-14 asks for two minutes at least).
 */

import type { SocketAddress } from '../../src/base/address.js'
import { SECOND } from '../../src/base/time.js'
import type { Datagram } from './datagram.js'
import { type EndpointMap, endpointMap } from './endpointMap.js'
import { type Idle, IdleList } from './idleList.js'

/** How long a flow lives that is not used: netfilter's nf_conntrack_udp_timeout_stream. Both directions use it. */
export const FLOW_LIFETIME_MS = 120 * SECOND
/** More flows than this are refused: netfilter's nf_conntrack_max on a machine of a gigabyte. */
const MAX_FLOWS = 65_536

interface Flow extends Idle<Flow> {
  readonly inner: SocketAddress
  readonly remote: SocketAddress
}

export class Firewall {
  readonly #clock: { readonly elapsed: number }
  #bySocket: EndpointMap<EndpointMap<Flow>> = endpointMap('address-and-port-dependent')
  readonly #flows = new IdleList<Flow>(FLOW_LIFETIME_MS)

  constructor(clock: { readonly elapsed: number }) {
    this.#clock = clock
  }

  /** How many flows there are now. */
  get flows(): number {
    this.#endExpired(this.#clock.elapsed)
    return this.#flows.size
  }

  /** Whether this may leave, which lets answers in. */
  outbound({ from, to }: Datagram): boolean {
    const now = this.#clock.elapsed
    this.#endExpired(now)
    const known = this.#bySocket.get(from)?.get(to)
    if (known !== undefined) {
      this.#flows.use(known, now)
      return true
    }
    if (this.#flows.size >= MAX_FLOWS) return false
    const flow: Flow = { inner: from, remote: to, usedAt: now, previous: undefined, next: undefined }
    let ofSocket = this.#bySocket.get(from)
    if (ofSocket === undefined) {
      ofSocket = endpointMap('address-and-port-dependent')
      this.#bySocket.set(from, ofSocket)
    }
    ofSocket.set(to, flow)
    this.#flows.add(flow, now)
    return true
  }

  /** Whether this may enter. */
  inbound({ from, to }: Datagram): boolean {
    const now = this.#clock.elapsed
    this.#endExpired(now)
    const flow = this.#bySocket.get(to)?.get(from)
    if (flow !== undefined) this.#flows.use(flow, now)
    return flow !== undefined
  }

  /** It was restarted, and remembers nothing. */
  reboot(): void {
    this.#bySocket = endpointMap('address-and-port-dependent')
    this.#flows.clear()
  }

  #endExpired(now: number): void {
    for (let flow = this.#flows.takeExpired(now); flow !== undefined; flow = this.#flows.takeExpired(now)) {
      const ofSocket = this.#bySocket.get(flow.inner)
      ofSocket?.delete(flow.remote)
      if (ofSocket?.isEmpty === true) this.#bySocket.delete(flow.inner)
    }
  }
}
