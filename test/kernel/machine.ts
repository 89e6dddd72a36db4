/**
 * A machine of one processor in software emulation (qemu's TCG), which needs no rights and no kernel module.
 *
 * Its clock counts the instructions that it executes, one a nanosecond, and jumps ahead while it has nothing to do. So
 * to itself it is a processor of fixed speed, however slow the emulation and however busy this machine: no deadline
 * within has to be stretched, and waiting costs nothing. Emulation by several threads crashes now and then.
 */

import { closeSync, openSync, readSync, writeFileSync } from 'node:fs'
import { LabProcess } from '../lab/labProcess.js'
import { until } from '../until.js'

const QEMU = 'qemu-system-x86_64'
const MEMORY_MB = 1_500

export interface MachineOptions {
  /** The kernel's image. */
  readonly kernel: string
  readonly initramfs: string
  /** The file that its first serial port, the console, is written to. */
  readonly console: string
  /** The same for its second one. */
  readonly results: string
  /** Added to the kernel's command line. */
  readonly arguments: string
  /** Of this machine's clock; the machine is stopped after it. */
  readonly deadlineMs: number
  /** Is given every line of the second serial port. */
  readonly onLine: (line: string) => void
}

/** Boots a machine and waits until it has ended by itself; ends it and throws an Error where it does not. */
export async function runMachine(options: MachineOptions): Promise<void> {
  writeFileSync(options.results, '')
  const lines = new LineReader(options.results, options.onLine)
  // The machine ends with this process, also where that is killed.
  const machine = new LabProcess('setpriv', ['--pdeathsig', 'KILL', QEMU, ...qemuArguments(options)])
  const kill = (): void => machine.signal('SIGKILL')
  process.once('exit', kill)
  try {
    const end = await until(
      'the machine to end',
      () => {
        lines.read()
        return machine.end
      },
      options.deadlineMs,
    )
    lines.read()
    if (end !== 'exit code 0') throw new Error(`${QEMU}: ${end}: ${machine.stderr}`)
  } finally {
    await machine.stop('SIGKILL')
    process.off('exit', kill)
    lines.close()
  }
}

function qemuArguments(options: MachineOptions): readonly string[] {
  return [
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...['-accel', 'tcg,thread=single', '-cpu', 'qemu64', '-smp', '1', '-m', String(MEMORY_MB)],
    ...['-icount', 'shift=0,sleep=off', '-rtc', 'clock=vm'],
    ...['-serial', `file:${options.console}`, '-serial', `file:${options.results}`],
    ...['-kernel', options.kernel, '-initrd', options.initramfs],
    ...['-append', `console=ttyS0 quiet panic=-1 init=/init ${options.arguments}`],
  ]
}

/** Reads the lines that are appended to a file. */
class LineReader {
  readonly #file: number
  readonly #onLine: (line: string) => void
  readonly #chunk = Buffer.alloc(65_536)
  #unfinished = ''

  constructor(path: string, onLine: (line: string) => void) {
    this.#file = openSync(path, 'r')
    this.#onLine = onLine
  }

  /** All that is new. */
  read(): void {
    for (;;) {
      const length = readSync(this.#file, this.#chunk)
      if (length === 0) return
      // A chunk may end within a character: bytes are put together before they are read as text.
      const lines = (this.#unfinished + this.#chunk.toString('latin1', 0, length)).split(/\r*\n/)
      this.#unfinished = lines.pop() ?? ''
      for (const line of lines) this.#onLine(Buffer.from(line, 'latin1').toString('utf8'))
    }
  }

  close(): void {
    closeSync(this.#file)
  }
}
