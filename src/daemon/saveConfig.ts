/**
 * `SaveConfig = true` makes wg-quick write the interface's state into the user's file when the interface goes down, our
 * loopback endpoints with it if we still run. The user is told; endpoints of ours in a saved file are recognised later.
 */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from './logger.js'

const CONFIGURATIONS = '/etc/wireguard'

export async function warnOfSaveConfig(interfaceName: string, log: Logger): Promise<void> {
  const file = join(CONFIGURATIONS, `${interfaceName}.conf`)
  // A file that is not there, or not ours to read, saves nothing that we know of.
  const text = await readFile(file, 'utf8').catch(() => '')
  if (!savesConfig(text)) return
  log.warn({ file }, 'SaveConfig is on: stop tunnelbore before wg-quick, or it saves our loopback endpoints')
}

/** Whether a wg-quick file has `SaveConfig = true`. */
export function savesConfig(text: string): boolean {
  return /^[ \t]*SaveConfig[ \t]*=[ \t]*true[ \t]*(#.*)?$/im.test(text)
}
