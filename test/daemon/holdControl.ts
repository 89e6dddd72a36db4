/** Starts controlHolder.ts and waits for what it says. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

export interface ControlHolder {
  readonly process: ChildProcess
  /** `taken`, or why the socket could not be had. */
  readonly said: string
}

/** Has a process of its own take the control socket at `path`; it is killed after the test. */
export async function holdControl(t: TestContext, path: string): Promise<ControlHolder> {
  const script = fileURLToPath(new URL('./controlHolder.js', import.meta.url))
  const child = spawn(process.execPath, [script, path], { stdio: ['pipe', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  const [said] = await once(createInterface({ input: child.stdout }), 'line')
  return { process: child, said: String(said) }
}
