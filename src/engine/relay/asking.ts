/** Asking a relay for a session: what is sealed to it, and what its answer says. */

import { familyOf, isGlobal, type SocketAddress } from '../../base/address.js'
import { isDropped } from '../../base/drops.js'
import type { PublicKey } from '../../base/publicKey.js'
import type { Random } from '../../base/random.js'
import type { UnixTime } from '../../base/time.js'
import { grantMac, sealGrant } from '../../crypto/relayGrant.js'
import type { RelaySessionKeys } from '../../crypto/relaySession.js'
import { decodeGranted } from '../../wire/relayGrant.js'
import type { DecodedStun } from '../../wire/stun/message.js'
import { ERROR_CODE } from '../../wire/stun/registry.js'
import type { ChosenRelay } from './offers.js'

/** The request for a session, sealed; undefined where the relay's key is one under which nothing is secret. */
export function sealedRequest(
  { offer, credential }: ChosenRelay,
  keys: RelaySessionKeys,
  ownKey: PublicKey,
  random: Random,
  now: UnixTime,
): Uint8Array | undefined {
  const terms = { issuedAt: now, key: keys.key, names: [keys.ownName, keys.peerName] as const }
  const mac = grantMac(credential.hmac, offer.publicKey, terms)
  const proof =
    credential.type === 'network'
      ? ({ type: 'network', mac } as const)
      : ({ type: 'peer', publicKey: ownKey, mac } as const)
  return sealGrant(offer.publicKey, { ...terms, proof }, random)
}

/** Of what a relay names: what is at the address that was asked, and in the other family something global. */
export function grantedAddresses({ granted }: DecodedStun, asked: string): readonly SocketAddress[] {
  if (granted === undefined) return []
  const addresses = decodeGranted(granted, asked)
  if (isDropped(addresses)) return []
  const own = addresses.find(({ ip }) => ip === asked)
  const other = addresses.find(({ ip }) => familyOf(ip) !== familyOf(asked) && isGlobal(ip))
  return [own, other].filter((address) => address !== undefined)
}

/** What an error says, in words of our own. */
export function refusal({ error }: DecodedStun): string {
  switch (error?.code) {
    case ERROR_CODE.forbidden:
      return 'the relay does not serve us'
    case ERROR_CODE.quotaReached:
      return 'the relay has no more sessions for us'
    case ERROR_CODE.insufficientCapacity:
      return 'the relay is full'
    default:
      return 'the relay refuses'
  }
}
