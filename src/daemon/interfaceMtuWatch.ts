/** The MTU of WireGuard's interface, told to the engine whenever it is another one. */

import type { Input } from '../engine/inputs.js'
import { interfaceMtu, socketOptionsAvailable } from '../io/socketOptions.js'
import type { Logger } from './logger.js'

export class InterfaceMtuWatch {
  readonly #device: string
  readonly #handle: (input: Input) => void
  #mtu: number | undefined = undefined

  /** Says so where paths cannot be asked what they carry, and tells nothing then. */
  constructor(device: string, handle: (input: Input) => void, log: Logger) {
    this.#device = device
    this.#handle = handle
    const options = socketOptionsAvailable()
    if (!options.available)
      log.warn(
        { reason: options.reason },
        'cannot find out how large packets paths carry: see the MTU yourself',
      )
  }

  /** As it was last read; undefined where it cannot be. */
  get mtu(): number | undefined {
    return this.#mtu
  }

  /** Reads it: a system call, so it may be done often. */
  read(): void {
    const mtu = interfaceMtu(this.#device)
    if (mtu === undefined || mtu === this.#mtu) return
    this.#mtu = mtu
    this.#handle({ type: 'mtu-read', device: this.#device, mtu })
  }
}
