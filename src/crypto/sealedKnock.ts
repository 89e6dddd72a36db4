/**
 * Sealing knocks for one peer, and opening them. The layout is in wire/sealedKnock.ts, the keys are in pair.ts. A knock
 * says neither to whom it is nor from whom, but to these two; anybody may have stored it and send it again later.
 */

import { concat } from 'uint8arrays'
import { type Dropped, drop, isDropped } from '../base/drops.js'
import type { Random } from '../base/random.js'
import {
  decodeSealedKnock,
  decodeSealedKnockContent,
  encodeSealedKnockContent,
  encodeSealedKnockHead,
  headOfSealedKnock,
  SEALED_KNOCK_NONCE_LENGTH,
  type SealedKnockContent,
} from '../wire/sealedKnock.js'
import type { KnockCredentials } from './pair.js'

/**
 * A knock for the peer with whom we share `credentials`, the outgoing ones, under their name of an epoch.
 * Throws a RangeError where the knock is empty or too long, or the sequence is no safe integer above zero.
 */
export function sealKnock(
  credentials: KnockCredentials,
  content: SealedKnockContent,
  epoch: number,
  random: Random,
): Uint8Array {
  const nonce = random.bytes(SEALED_KNOCK_NONCE_LENGTH)
  const head = encodeSealedKnockHead({ name: credentials.nameAt(epoch), nonce })
  return concat([head, credentials.seal(nonce, encodeSealedKnockContent(content), head)])
}

/**
 * What a knock says, opened with the incoming credentials that its name belongs to. Dropped as decoding says, or as
 * `knock-unreadable`. Neither the epoch of its name nor its sequence is judged, and the knock inside is not read.
 */
export function openKnock(credentials: KnockCredentials, bytes: Uint8Array): SealedKnockContent | Dropped {
  const sealed = decodeSealedKnock(bytes)
  if (isDropped(sealed)) return sealed
  const content = credentials.open(sealed.nonce, sealed.sealedContent, headOfSealedKnock(bytes))
  return content === undefined ? drop('knock-unreadable') : decodeSealedKnockContent(content)
}
