/** A small disk (tmpfs) in a mount namespace of its own, which can be filled up and made read-only. */

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from './command.js'
import type { LabProcess } from './labProcess.js'
import type { Scope } from './scope.js'

const SIZE = '4m'

export class SmallDisk {
  readonly #scope: Scope
  /** Keeps the namespace. */
  #holder: LabProcess | undefined
  #path = ''

  constructor(scope: Scope) {
    this.#scope = scope
  }

  /** Mounts it at a path the first time; what is on it stays as long as the laboratory. */
  async mount(path: string): Promise<void> {
    if (this.#holder !== undefined) return
    this.#path = path
    await mkdir(path, { recursive: true, mode: 0o700 })
    const script = `mount -t tmpfs -o size=${SIZE},mode=0700 tmpfs "$1"; echo mounted; exec sleep infinity`
    const holder = this.#scope.spawn('unshare', ['--mount', 'sh', '-ec', script, 'sh', path])
    await holder.waitForOutput(/mounted/)
    this.#holder = holder
  }

  /** The command line that runs a program where the disk is mounted. */
  enter(command: string, args: readonly string[]): readonly [string, readonly string[]] {
    return ['nsenter', [`--mount=/proc/${this.#holder?.pid}/ns/mnt`, '--', command, ...args]]
  }

  /** Takes all the room that is left. */
  async fill(): Promise<void> {
    await this.#run('dd', ['if=/dev/zero', `of=${this.#filler}`, 'bs=1k'], [1])
  }

  /** Gives it back. */
  async free(): Promise<void> {
    await this.#run('rm', [this.#filler])
  }

  /** Remounts it `ro` or `rw`. */
  async remount(how: 'ro' | 'rw'): Promise<void> {
    await this.#run('mount', ['-o', `remount,${how}`, this.#path])
  }

  /** The text of a file on it. */
  async read(name: string): Promise<string> {
    return await this.#run('cat', [join(this.#path, name)])
  }

  get #filler(): string {
    return join(this.#path, 'filler')
  }

  async #run(command: string, args: readonly string[], exitCodes: readonly number[] = [0]): Promise<string> {
    const { stdout } = await run(...this.enter(command, args), { exitCodes })
    return stdout
  }
}
