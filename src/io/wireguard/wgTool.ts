/** Runs the official `wg` tool (wg(8)), which drives the kernel's WireGuard and wireguard-go alike. */

import { CommandError, runCommand } from '../command.js'
import { WireGuardError } from './wireguardError.js'

/** The names of the WireGuard interfaces that there are. */
export async function listInterfaces(): Promise<readonly string[]> {
  try {
    const names = await runCommand('wg', ['show', 'interfaces'])
    return names.split(/\s+/).filter((name) => name !== '')
  } catch (error) {
    throw toWireGuardError(error, 'list the WireGuard interfaces')
  }
}

/** Runs `wg show <name> dump`; what it prints holds secrets. */
export async function showDump(name: string): Promise<string> {
  checkName(name)
  try {
    return await runCommand('wg', ['show', name, 'dump'])
  } catch (error) {
    throw await explainFailure(name, error)
  }
}

/** Runs `wg set <name> …`. `presharedKey` is what an argument /dev/stdin stands for. */
export async function setInterface(
  name: string,
  args: readonly string[],
  presharedKey?: string,
): Promise<void> {
  checkName(name)
  try {
    await runCommand('wg', ['set', name, ...args], presharedKey)
  } catch (error) {
    throw await explainFailure(name, error)
  }
}

/** Throws where `name` can be no interface's. `wg` takes `all` and `interfaces` for words of its own. */
export function checkName(name: string): void {
  if (!/^[A-Za-z0-9_=+.-]{1,15}$/.test(name) || name === 'all' || name === 'interfaces')
    throw new WireGuardError('no-such-interface', `"${name}" is not a name of a WireGuard interface`)
}

/**
 * What it means that `wg` failed on the interface `name` means. `wg` reports a missing interface in different words with and
 * without a kernel module, so the list of interfaces decides.
 */
async function explainFailure(name: string, error: unknown): Promise<WireGuardError> {
  const explained = toWireGuardError(error, `use ${name}`)
  if (explained.kind !== 'failed') return explained
  const names = await listInterfaces().catch(() => [name])
  if (names.includes(name)) return explained
  const mend =
    names.length === 0
      ? `bring it up first, for example with "wg-quick up ${name}"`
      : `there is ${names.join(', ')}`
  return new WireGuardError('no-such-interface', `there is no WireGuard interface ${name}: ${mend}`)
}

function toWireGuardError(error: unknown, what: string): WireGuardError {
  if (!(error instanceof CommandError)) throw error
  if (error.reason === 'missing')
    return new WireGuardError('tool-missing', 'the tool wg was not found: install wireguard-tools')
  if (/not permitted|permission denied/i.test(error.detail))
    return new WireGuardError(
      'no-permission',
      `no permission to ${what}: run as root or with CAP_NET_ADMIN (for wireguard-go, as the owner of its socket)`,
    )
  return new WireGuardError('failed', `could not ${what}: ${error.message}`)
}
