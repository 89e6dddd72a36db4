/**
 * The file system that the emulated machine boots into, as one uncompressed cpio archive (unpacking a compressed one
 * takes an emulated processor longer than reading it): the programs of this machine under the same paths, with the
 * libraries that they are linked to, the kernel's modules, and our build with the packages that it needs to run.
 */

import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { run } from '../lab/command.js'
import { COMPILED_TESTS, REPOSITORY } from '../repository.js'
import type { DebianKernel } from './debianKernel.js'

/** What the laboratory and the daemon run. */
const PROGRAMS = [
  ...['sh', 'cat', 'sleep', 'timeout', 'which', 'flock'],
  ...['ip', 'bridge', 'tc', 'ss', 'nft', 'conntrack', 'wg', 'ping', 'nsenter', 'tcpdump'],
]
/** What busybox stands in for: not `sh`, which would take its own `ip` and `ping` for those of the machine. */
const BUSYBOX_PROGRAMS = ['mount', 'modprobe', 'poweroff', 'ln', 'mkdir']
/** Names of protocols and services (nft, ss), and of users. */
const SETTINGS = ['protocols', 'services', 'passwd', 'group', 'nsswitch.conf', 'hosts', 'iproute2']
/** Parts of the tree of modules; the rest drives hardware. */
const MODULES = [
  'net',
  'crypto',
  'lib',
  'arch/x86/crypto',
  'drivers/net/wireguard',
  'drivers/net/veth.ko',
  'drivers/net/tun.ko',
]
/** Where the repository is in the machine. */
export const GUEST_REPOSITORY = '/tunnelbore'

/** Makes the tree in `directory`, which is emptied first, and the archive beside it; gives the archive's path. */
export async function buildInitramfs(directory: string, kernel: DebianKernel): Promise<string> {
  const root = join(directory, 'root')
  rmSync(directory, { recursive: true, force: true })
  makeFolders(root)
  copy(join(REPOSITORY, 'test', 'kernel', 'init.sh'), join(root, 'init'))
  chmodSync(join(root, 'init'), 0o755)
  await copyPrograms(root)
  for (const name of SETTINGS) {
    const path = join('/etc', name)
    if (existsSync(path)) copy(path, join(root, path))
  }
  copyModules(root, kernel)
  await copyRepository(join(root, GUEST_REPOSITORY))
  const archive = join(directory, 'initramfs.cpio')
  await run('sh', ['-ec', 'cd "$1" && find . | cpio -o -H newc -R 0:0 --quiet >"$2"', 'sh', root, archive])
  return archive
}

/** As Debian has them: /bin, /sbin and the folders of libraries are links into /usr. */
function makeFolders(root: string): void {
  for (const path of ['proc', 'sys', 'dev', 'run', 'tmp', 'etc', 'root', 'var'])
    mkdirSync(join(root, path), { recursive: true })
  for (const path of ['bin', 'sbin', 'lib', 'lib64']) {
    mkdirSync(join(root, 'usr', path), { recursive: true })
    symlinkSync(`usr/${path}`, join(root, path))
  }
  symlinkSync('/run', join(root, 'var', 'run'))
}

async function copyPrograms(root: string): Promise<void> {
  const bin = join(root, 'usr', 'bin')
  const which = async (name: string): Promise<string> => (await run('which', [name])).stdout.trim()
  const programs = [...PROGRAMS, 'busybox'].map(async (name) => ({ name, path: await which(name) }))
  for (const { name, path } of [{ name: 'node', path: process.execPath }, ...(await Promise.all(programs))]) {
    copy(realpathSync(path), join(bin, name))
    for (const library of await librariesOf(path)) copy(realpathSync(library), join(root, library))
  }
  for (const name of BUSYBOX_PROGRAMS) symlinkSync('busybox', join(bin, name))
  // The kernel itself calls it where a module is wanted.
  symlinkSync('../bin/busybox', join(root, 'usr', 'sbin', 'modprobe'))
}

/** The paths of the libraries that a program is linked to, its loader among them. */
async function librariesOf(program: string): Promise<readonly string[]> {
  const { stdout } = await run('ldd', [program], { exitCodes: [0, 1] })
  return [...stdout.matchAll(/(?:^\s*|=> )(\/\S+) \(0x/gm)].map((match) => match[1] ?? '')
}

function copyModules(root: string, { release, modules }: DebianKernel): void {
  const target = join(root, 'usr', 'lib', 'modules', release)
  for (const name of readdirSync(modules))
    if (name.startsWith('modules.')) copy(join(modules, name), join(target, name))
  for (const path of MODULES) copy(join(modules, 'kernel', path), join(target, 'kernel', path))
}

async function copyRepository(target: string): Promise<void> {
  copy(join(REPOSITORY, 'package.json'), join(target, 'package.json'))
  const build = dirname(COMPILED_TESTS)
  for (const path of ['src', 'test']) copy(join(build, path), join(target, 'dist', path), isNeededToRun)
  for (const path of productionPackages()) copy(join(REPOSITORY, path), join(target, path), isNeededToRun)
}

/** The folders, from the repository's top, of all packages but those for development. */
function productionPackages(): readonly string[] {
  const lock: { readonly packages: Readonly<Record<string, { readonly dev?: boolean }>> } = JSON.parse(
    readFileSync(join(REPOSITORY, 'package-lock.json'), 'utf8'),
  )
  return Object.entries(lock.packages)
    .filter(([path, { dev }]) => path !== '' && dev !== true && existsSync(join(REPOSITORY, path)))
    .map(([path]) => path)
}

/** Not what is there for compilers, debuggers and readers. */
function isNeededToRun(path: string): boolean {
  return !/\.(?:map|d\.ts|md)$/.test(path)
}

/** Links are followed: what they lead to may be elsewhere on this machine. */
function copy(from: string, to: string, filter: (path: string) => boolean = () => true): void {
  cpSync(from, to, { recursive: true, dereference: true, filter })
}
