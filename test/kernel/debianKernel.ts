/**
 * Debian's cloud kernel, which has the WireGuard and the netem that the running kernel may lack: downloaded and
 * unpacked below build/, never installed.
 */

import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { run } from '../lab/command.js'
import { REPOSITORY } from '../repository.js'

/** Depends on the newest kernel package of this kind. */
const META_PACKAGE = 'linux-image-cloud-amd64'
const CACHE = join(REPOSITORY, 'build', 'kernel')

export interface DebianKernel {
  /** As `uname -r` prints it. */
  readonly release: string
  /** The compressed image, for a boot loader. */
  readonly image: string
  /** Holds `kernel/`, the tree of modules, and what modprobe reads. */
  readonly modules: string
}

/** Gives the kernel, from the cache where it is there already; `say` is told what takes long. */
export async function fetchDebianKernel(say: (line: string) => void): Promise<DebianKernel> {
  const name = await kernelPackage(say)
  const { stdout } = await run('apt-cache', ['show', '--no-all-versions', name])
  const version = /^Version: (\S+)$/m.exec(stdout)?.[1]
  if (version === undefined) throw new Error(`apt-cache names no version of ${name}`)
  const directory = join(CACHE, `${name}_${version.replaceAll(':', '_')}`)
  if (!existsSync(directory)) await unpack(name, directory, say)
  return kernelIn(directory)
}

/** The package that the meta package stands for now. */
async function kernelPackage(say: (line: string) => void): Promise<string> {
  const ask = async (): Promise<string | undefined> => {
    const { stdout } = await run('apt-cache', ['depends', META_PACKAGE], { exitCodes: [0, 100] })
    return /^\s*Depends: (linux-image-\S+)$/m.exec(stdout)?.[1]
  }
  const known = await ask()
  if (known !== undefined) return known
  say('apt-get update')
  await run('apt-get', ['update'])
  const found = await ask()
  if (found === undefined) throw new Error(`no package ${META_PACKAGE}: is this Debian, on amd64?`)
  return found
}

/** Complete or not at all: a run that was stopped in the middle leaves nothing that looks like a kernel. */
async function unpack(name: string, directory: string, say: (line: string) => void): Promise<void> {
  rmSync(CACHE, { recursive: true, force: true })
  const unfinished = `${directory}.unfinished`
  mkdirSync(unfinished, { recursive: true })
  say(`downloading ${name}`)
  await run('sh', ['-ec', 'cd "$1" && apt-get download "$2"', 'sh', unfinished, name])
  const [archive] = readdirSync(unfinished)
  if (archive === undefined) throw new Error(`apt-get download left no ${name}`)
  say(`unpacking ${basename(archive)}`)
  await run('dpkg-deb', ['-x', join(unfinished, archive), unfinished])
  const { release } = kernelIn(unfinished)
  // What says which module needs which is made where the package is installed.
  const base = join(unfinished, 'lib', 'modules')
  await run('sh', ['-ec', 'cd "$1" && busybox depmod -b "$2" "$3"', 'sh', base, unfinished, release])
  rmSync(join(unfinished, archive))
  renameSync(unfinished, directory)
}

function kernelIn(directory: string): DebianKernel {
  const [release] = readdirSync(join(directory, 'lib', 'modules'))
  if (release === undefined) throw new Error(`no modules in ${directory}`)
  return {
    release,
    image: join(directory, 'boot', `vmlinuz-${release}`),
    modules: join(directory, 'lib', 'modules', release),
  }
}
