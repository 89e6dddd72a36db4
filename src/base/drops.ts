/**
 * Reasons for dropping. Whatever comes from outside and is not wanted is dropped with one of these names; counters,
 * logs and `status --json` share them. Codecs return a {@link Dropped} instead of throwing.
 */

/** Every reason there is, with what it says. The order is the order in which `status` lists them. */
export const DROP_REASONS = {
  'through-tunnel':
    'a message from an address to which our routes lead through the tunnel: an answer would loop',
  unrecognised: 'a datagram that is neither WireGuard nor STUN',
  'not-sent': 'a datagram that the system would not send, nor at the second try',
  'icmp-not-heeded':
    'an ICMP error that concerns no path in use with traffic, or comes too soon after another about that peer',
  'icmp-flood': 'ICMP errors beyond what is read of them each second, all together',
  'loopback-foreign-sender': 'a datagram on a loopback endpoint that WireGuard did not send',
  'wireguard-malformed': 'a WireGuard message of a wrong length',
  'wireguard-unknown-sender': 'a WireGuard message other than a first one, from an address that is no path',
  'wireguard-bad-mac1': 'a first message whose mac1 is not for our key',
  'wireguard-rate-limited': 'a first message beyond what is opened for a source, or in all, each second',
  'wireguard-unreadable': 'a first message that does not decrypt',
  'wireguard-unknown-peer': 'a first message of a key that is no peer of the interface',
  'wireguard-replayed': "a first message not newer than that peer's last",
  'wireguard-no-path': 'a message of WireGuard for a peer without a path, and not a first message',
  'wireguard-unexpected-second': 'a second message that answers no first message of ours',
  'wireguard-glare': "a peer's first message that crossed ours, which goes before it",
  'catch-all-not-first': 'a message on the catch-all endpoint that is not a first message',
  'catch-all-no-such-peer': 'a first message on the catch-all endpoint whose mac1 is for no peer of ours',
  'stun-malformed': 'STUN that does not decode',
  'stun-bad-fingerprint': 'STUN with a wrong FINGERPRINT',
  'stun-unknown-user': 'a check under a user name of no pair of ours',
  'stun-bad-integrity': 'a check with a wrong or missing MESSAGE-INTEGRITY-SHA256',
  'stun-unknown-transaction':
    'a STUN response to no transaction of ours, or from another address than was asked',
  'stun-unsupported': 'a STUN method, class or attribute that is not served here',
  'stun-rate-limited': 'a Binding request beyond what is reflected for a source, or in all, each second',
  'address-proof-bad':
    "a reflector's proof of where we are that is not its own, or of another address or name",
  'relay-grant-malformed':
    "a request for a relay's session that does not decode, or is of a version not spoken here",
  'relay-grant-unreadable': "a request for a relay's session that is not sealed to our key",
  'relay-grant-rate-limited':
    "a request for a relay's session beyond what is read of a source, or in all, each second",
  'relay-grant-stale': "a request for a relay's session that has ended",
  'relay-granted-malformed': "a relay's answer to a request for a session that does not decode",
  'relay-stale-bind': "a bind to a relay's session that is not newer than that side's last",
  'stream-address-forged':
    'a datagram over UDP from an address that stands for a stream, which no machine has',
  'stream-overflow': 'a datagram for a stream that takes less than is sent through it',
  'relay-plain-request':
    "a STUN request to a relay's session that is neither a bind nor a check: the relay would be answered in the sender's place",
  'relay-unbound-sender': "a datagram to a relay's session from an address that did not bind",
  'relay-other-unbound': "a datagram for a side of a relay's session that is not bound yet",
  'relay-unverified':
    "a datagram for a side of a relay's session that has not shown that it hears what is sent to its address, beyond what is sent there nevertheless",
  'relay-over-quota': 'a datagram beyond what is relayed of a session, a source, or in all, each second',
  'record-malformed': 'a record that does not decode or breaks a rule of its format',
  'record-too-large': 'a record larger than a record may be',
  'record-unknown-version': 'a record of a version that is not spoken here',
  'record-bad-signature': 'a record whose signature is not by the key it names',
  'record-wrong-author': 'a record under a key, or from a node, that is not the one it names',
  'record-expired': 'a record whose expiry has passed',
  'record-from-future': 'a record issued further ahead than clocks may differ',
  'record-rollback': 'a record older than one already seen of its author',
  'record-wrong-period': 'a sealed record for a day that is neither this one nor the next',
  'record-unreadable': 'a sealed record that does not open with the key of the author it should be of',
  'record-unknown-author': 'a record of a key that is no peer of the interface',
  'record-rate-limited':
    'a record to store beyond what is taken of a neighbour, an address, or in all, each second',
  'dht-rate-limited': 'another request to the DHT beyond the same',
  'dht-too-large': 'a request to the DHT longer than any of ours',
  'dht-unsupported': 'a request to the DHT that is not served here: providers',
  'knock-malformed': 'a knock, or an answer to one, that does not decode',
  'knock-unknown-version': 'a knock of a version that is not spoken here',
  'knock-rate-limited': 'a knock beyond what is answered for a peer, or in all, each second',
  'knock-unreadable': 'a sealed knock under a name of ours that does not open',
  'reach-malformed':
    'a request to be dialled back, or an answer to one, that does not decode or names an address that may not be asked for',
  'reach-rate-limited': 'a request to be dialled back beyond what is done for an asker, a server, or in all',
  'udp-probe-malformed': 'a request for a UDP probe, or an answer to one, that does not decode',
  'udp-probe-rate-limited':
    'a request for a UDP probe beyond what is sent for an asker, to an address, or in all',
  'reservation-malformed': "a relay's answer to a request for a reservation that does not decode",
  'gossip-malformed': 'a gossiped message of a wrong length, or with fields that none of ours has',
  'gossip-rate-limited':
    'a gossiped message beyond what is taken of an author, of a neighbour, or in all, each second',
  'mesh-no-network-key': 'a connection from a node without a network key, where the network has one',
  'mesh-wrong-network-key': 'a connection from a node with another network key',
  'mesh-not-ours':
    'a connection that does not begin as libp2p does: of a node with a network key, where the network has none, or of no node',
  'lan-malformed':
    "an answer of mDNS under our network's name that does not decode, or names nothing on that LAN",
  'lan-rate-limited': 'what mDNS brought beyond what is read, or remembered, of a LAN',
  'gateway-malformed':
    'an answer of a gateway to a request for a port that does not decode, is of another gateway, or answers nothing asked',
  'knock-for-others': 'a gossiped knock under a name of no pair of ours',
  'knock-stale': 'a gossiped knock from a time too far from ours',
  'knock-replayed': "a gossiped knock that is not newer than that peer's last",
  'knock-unasked': 'an answer by gossip to no knock of ours',
  'services-malformed': 'a list of services that does not decode, or is of a version that is not spoken here',
} as const

export type DropReason = keyof typeof DROP_REASONS

/** What a decoder returns in place of a value. Compare with {@link isDropped}. */
export interface Dropped {
  readonly dropped: DropReason
}

const dropped = new Map(
  (Object.keys(DROP_REASONS) as DropReason[]).map((reason) => [reason, Object.freeze({ dropped: reason })]),
)

/** The {@link Dropped} of a reason: one shared object each, so that a flood of rubbish allocates nothing. */
export function drop(reason: DropReason): Dropped {
  const shared = dropped.get(reason)
  if (shared === undefined) throw new TypeError(`no such reason for dropping: ${reason}`)
  return shared
}

export function isDropped<Value>(value: Value | Dropped): value is Dropped {
  return typeof value === 'object' && value !== null && 'dropped' in value
}

/** Counts drops by reason. */
export class DropCounters {
  readonly #counts = new Map<DropReason, number>()

  count(reason: DropReason): void {
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1)
  }

  /** The counts above zero, in the order of {@link DROP_REASONS}. */
  toJSON(): Partial<Record<DropReason, number>> {
    const counts: Partial<Record<DropReason, number>> = {}
    for (const reason of Object.keys(DROP_REASONS) as DropReason[]) {
      const count = this.#counts.get(reason)
      if (count !== undefined) counts[reason] = count
    }
    return counts
  }
}
