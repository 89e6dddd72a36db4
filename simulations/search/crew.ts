/** Workers that run cases, and who of them has nothing to do. */

import { Worker } from 'node:worker_threads'
import type { CryptographyName } from './outcome.js'
import type { Results, Task, WorkerSettings } from './worker.js'

export interface CrewOptions {
  readonly workers: number
  /** URL of a module that exports `runCase`. */
  readonly runner: string
  readonly cryptography: CryptographyName
}

export class Crew {
  readonly size: number
  readonly #workers: readonly Worker[]
  readonly #ended = new SharedArrayBuffer(1)

  constructor({ workers, runner, cryptography }: CrewOptions) {
    this.size = workers
    const settings: WorkerSettings = { runner, cryptography, ended: this.#ended }
    this.#workers = Array.from(
      { length: workers },
      () => new Worker(new URL('worker.js', import.meta.url), { workerData: settings }),
    )
  }

  /** Has the worker of this number do something. It does one thing at a time. */
  async perform<Type extends Task['type']>(
    worker: number,
    task: Extract<Task, { readonly type: Type }>,
  ): Promise<Results[Type]> {
    const assigned = this.#workers[worker]
    if (assigned === undefined) throw new RangeError(`there is no worker ${worker}`)
    return await new Promise<Results[Type]>((resolve, reject) => {
      const failed = (error: Error): void => {
        assigned.off('message', done)
        reject(error)
      }
      const done = (result: Results[Type]): void => {
        assigned.off('error', failed)
        resolve(result)
      }
      assigned.once('message', done)
      assigned.once('error', failed)
      assigned.postMessage(task)
    })
  }

  /** What is being shrunk ends with the smallest until now. */
  endShrinking(): void {
    Atomics.store(new Uint8Array(this.#ended), 0, 1)
  }

  async dismiss(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()))
  }
}
