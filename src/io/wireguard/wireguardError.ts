/** Why WireGuard could not be read or set. */

import { UserError } from '../../base/userError.js'

/**
 * - `tool-missing`: there is no `wg`
 * - `no-such-interface`: no WireGuard interface of that name
 * - `no-permission`: it exists, and is not ours to read or set
 * - `no-private-key`: it exists, and has none yet
 * - `not-understood`: `wg` printed what this version cannot read
 * - `failed`: anything else
 */
export type WireGuardErrorKind =
  | 'tool-missing'
  | 'no-such-interface'
  | 'no-permission'
  | 'no-private-key'
  | 'not-understood'
  | 'failed'

/** The message is one line for people: what is wrong, and what mends it. It never contains a secret. */
export class WireGuardError extends UserError {
  override readonly name = 'WireGuardError'
  readonly kind: WireGuardErrorKind

  constructor(kind: WireGuardErrorKind, message: string) {
    super(message)
    this.kind = kind
  }
}
