/** A real WireGuard interface, by wireguard-go, in a network namespace of its own. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { ensurePackages } from '../../packages.js'
import { until } from '../../until.js'
import { run } from '../run.js'

export interface RealInterface {
  readonly name: string
  readonly namespace: string
  /** Ends wireguard-go and removes the namespace if it was made for this interface. */
  readonly remove: () => Promise<void>
}

let created = 0

/**
 * A new interface, in a new namespace or beside another one in its namespace. `wg` reaches it from everywhere:
 * wireguard-go's control socket is not bound to a namespace.
 */
export async function realInterface(beside?: RealInterface): Promise<RealInterface> {
  ensurePackages()
  const name = `tbio${process.pid}n${created++}`
  const namespace = beside?.namespace ?? name
  if (beside === undefined) {
    run('ip', ['netns', 'add', namespace])
    run('ip', ['-n', namespace, 'link', 'set', 'lo', 'up'])
  }
  const command = ['netns', 'exec', namespace, 'wireguard-go', '--foreground', name]
  const daemon = spawn('ip', command, { stdio: 'ignore' })
  const ended = once(daemon, 'exit')
  const remove = async () => {
    daemon.kill('SIGTERM')
    await ended
    if (beside === undefined) run('ip', ['netns', 'delete', namespace])
  }
  try {
    await until('wireguard-go', () => run('wg', ['show', 'interfaces']).split(/\s+/).includes(name))
  } catch (error) {
    await remove()
    throw error
  }
  return { name, namespace, remove }
}
