/** What the engine is answered where it wants something done that is not simulated: that it failed, and at once. */

import type { Input } from '../../src/engine/inputs.js'
import type { Errand } from './engineLoop.js'

/** Undefined where it does not wait for an answer. */
export function failureOf(errand: Errand): Input | undefined {
  switch (errand.type) {
    case 'open-spare-socket':
      return { type: 'spare-socket-failed', ip: errand.ip }
    case 'ask-udp-probe':
      return { type: 'udp-probe-answered', nonce: errand.nonce, ip: undefined, otherPort: undefined }
    case 'resolve-name':
      return { type: 'name-failed', name: errand.name, reason: 'not simulated' }
    case 'probe-reachability':
      return { type: 'reachability-probed', reachable: undefined, server: undefined, servers: 0 }
    default:
      return undefined
  }
}
