/**
 * The Debian packages that the laboratory, the demonstration and the benchmark need, and those of the emulated machine
 * with a kernel of its own. A run that lacks one never
 * skips anything: it is installed where that can be done, and the run fails with the command to type where not.
 */

import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

export interface Package {
  readonly name: string
  /** A program of the package, by whose presence the package is recognised. */
  readonly program: string
}

/** What runs in the emulated machine too. */
const SHARED_PACKAGES: readonly Package[] = [
  { name: 'wireguard-tools', program: 'wg' },
  { name: 'nftables', program: 'nft' },
  { name: 'conntrack', program: 'conntrack' },
  { name: 'iproute2', program: 'ip' },
  { name: 'iputils-ping', program: 'ping' },
  { name: 'util-linux', program: 'nsenter' },
  { name: 'tcpdump', program: 'tcpdump' },
]

const LABORATORY_PACKAGES: readonly Package[] = [
  ...SHARED_PACKAGES,
  { name: 'wireguard-go', program: 'wireguard-go' },
  // Its service is not to run: the laboratory starts it in its own namespaces.
  { name: 'miniupnpd-nftables', program: 'miniupnpd' },
  { name: 'iperf3', program: 'iperf3' },
  { name: 'systemd', program: 'systemd-analyze' },
]

/** What `npm test` needs: the reports are looked at in a browser. */
export const TEST_PACKAGES: readonly Package[] = [
  ...LABORATORY_PACKAGES,
  { name: 'chromium', program: 'chromium' },
]

/** What `npm run test:kernel` needs. */
export const KERNEL_TEST_PACKAGES: readonly Package[] = [
  ...SHARED_PACKAGES,
  { name: 'qemu-system-x86', program: 'qemu-system-x86_64' },
  { name: 'busybox-static', program: 'busybox' },
  { name: 'cpio', program: 'cpio' },
  { name: 'apt', program: 'apt-get' },
  { name: 'dpkg', program: 'dpkg-deb' },
]

/**
 * Sees to it that every package is there. Missing ones are installed if this is root on a system with `apt-get`, which
 * is said on stderr first; throws an Error that names them and the command that installs them if they can't be.
 */
export function ensurePackages(packages: readonly Package[] = LABORATORY_PACKAGES): void {
  const missing = missingAmong(packages)
  if (missing.length === 0) return
  // Without --no-install-recommends, wireguard-tools brings a whole kernel along.
  const install = ['install', '-y', '--no-install-recommends', ...missing]
  const command = `apt-get update && apt-get ${install.join(' ')}`
  if (process.getuid?.() !== 0 || !isOnPath('apt-get'))
    throw new Error(`missing packages: ${missing.join(', ')}; install them, as root: ${command}`)
  process.stderr.write(`Missing packages: ${missing.join(', ')}. Installing them: ${command}\n`)
  aptGet(['update'])
  aptGet(install)
  const stillMissing = missingAmong(packages)
  if (stillMissing.length > 0)
    throw new Error(`missing packages after an installation that succeeded: ${stillMissing.join(', ')}`)
}

function missingAmong(packages: readonly Package[]): string[] {
  return packages.filter(({ program }) => !isOnPath(program)).map(({ name }) => name)
}

function aptGet(args: readonly string[]): void {
  const { status, error } = spawnSync('apt-get', args, {
    // What is installed is progress, not a result: it goes to stderr.
    stdio: ['ignore', process.stderr, process.stderr],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  })
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(`apt-get ${args.join(' ')} failed with exit code ${status}`)
}

function isOnPath(program: string): boolean {
  const { PATH = '' } = process.env
  return PATH.split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
