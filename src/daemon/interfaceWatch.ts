/** Reads the WireGuard interface again and again, because nothing tells us when it changes. */

import type { PublicKey } from '../base/publicKey.js'
import { causeOf, UserError } from '../base/userError.js'
import type { InterfaceDump } from '../io/wireguard/interfaceDump.js'
import type { InterfaceReader } from '../io/wireguard/interfaceReader.js'
import type { Logger } from './logger.js'

/** Peers added and removed with `wg set` are noticed within two seconds. */
const READ_MS = 1_500

export class InterfaceWatch {
  /** Fulfilled where the interface got another private key: we are another node then. */
  readonly failed: Promise<Error>
  readonly #fail: (reason: Error) => void
  readonly #reader: InterfaceReader
  readonly #ownKey: PublicKey
  readonly #onRead: (dump: InterfaceDump) => void
  readonly #log: Logger
  #timer: NodeJS.Timeout | undefined
  #missing = false
  #stopped = false

  constructor(
    reader: InterfaceReader,
    ownKey: PublicKey,
    onRead: (dump: InterfaceDump) => void,
    log: Logger,
  ) {
    let fail: (reason: Error) => void = () => undefined
    this.failed = new Promise((resolve) => {
      fail = resolve
    })
    this.#fail = fail
    this.#reader = reader
    this.#ownKey = ownKey
    this.#onRead = onRead
    this.#log = log
    this.#schedule()
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  #schedule(): void {
    if (this.#stopped) return
    this.#timer = setTimeout(() => {
      this.#read().finally(() => this.#schedule())
    }, READ_MS)
  }

  async #read(): Promise<void> {
    try {
      const dump = await this.#reader.read()
      if (this.#stopped) return
      if (dump.publicKey !== this.#ownKey) {
        this.#fail(new UserError(`${dump.name} has another private key now: start tunnelbore again`))
        return
      }
      if (this.#missing) this.#log.info('the interface is back')
      this.#missing = false
      this.#onRead(dump)
    } catch (error) {
      if (!this.#missing && !this.#stopped) {
        this.#log.warn({ cause: causeOf(error) }, 'cannot read the interface; it is tried on')
      }
      this.#missing = true
    }
  }
}
