/** The file with the key that closes a network. */

import { readFile } from 'node:fs/promises'
import { fromString } from 'uint8arrays'
import { causeOf } from '../base/userError.js'
import { ConfigError } from './settings.js'

/**
 * Reads a network key as go-libp2p and js-libp2p write it, and returns it in the canonical spelling that
 * `@libp2p/pnet` takes:
 *
 *     /key/swarm/psk/1.0.0/
 *     /base16/
 *     <64 hexadecimal digits>
 *
 * Throws a {@link ConfigError} that names the file and never quotes it.
 */
export async function readNetworkKey(file: string): Promise<Uint8Array> {
  let text: string
  try {
    text = await readFile(file, 'latin1')
  } catch (error) {
    throw new ConfigError(
      `cannot read the network key ${file}: ${causeOf(error)}; give --network-key a readable file`,
    )
  }
  const match = /^\/key\/swarm\/psk\/1\.0\.0\/\r?\n\/base16\/\r?\n([0-9a-fA-F]{64})\s*$/.exec(text)
  if (match?.[1] === undefined) {
    throw new ConfigError(
      `${file} is no network key; its lines must be /key/swarm/psk/1.0.0/ and /base16/ and 64 hexadecimal digits`,
    )
  }
  return fromString(`/key/swarm/psk/1.0.0/\n/base16/\n${match[1].toLowerCase()}\n`)
}
