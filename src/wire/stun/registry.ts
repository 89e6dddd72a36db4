/** STUN's numbers. Types and codes are IANA's ("Session Traversal Utilities for NAT (STUN) Parameters"), those we speak. */

/** Length of the header: type, length, magic cookie, transaction id. */
export const HEADER_LENGTH = 20

/** The first word of every message after its type and length; tells STUN from what shares its port. */
export const MAGIC_COOKIE = 0x2112_a442

/** Asks for one's reflexive address, checks a path, or binds one side of a relay's session. */
export const BINDING = 0x001

/**
 * Our own: asks a member relay for a session. IANA gives methods out up to 0x0ff, each by a document (RFC 8489 section
 * 18.1); those above are reserved, so that nobody else's will ever be this one.
 */
export const GRANT = 0x2b0

/**
 * Attribute types. Below 0x8000 an attribute is comprehension-required: who does not know it must not act on the
 * message as if it were not there (RFC 8489 section 14).
 */
export const ATTRIBUTE = {
  /** Known, never used: XOR-MAPPED-ADDRESS stands beside it. */
  mappedAddress: 0x0001,
  username: 0x0006,
  /** Known, never verified: SHA-1, for those who speak RFC 5389 only. */
  messageIntegrity: 0x0008,
  errorCode: 0x0009,
  unknownAttributes: 0x000a,
  messageIntegritySha256: 0x001c,
  xorMappedAddress: 0x0020,
  /** RFC 8445 section 16.1. */
  priority: 0x0024,
  software: 0x8022,
  fingerprint: 0x8028,
  /** Our own, from the range for everybody (0xc000 up): the sender keeps a first message of WireGuard's back. */
  holdsFirstMessage: 0xc0b0,
  /** Likewise: a request for a session, sealed to the relay. */
  sealed: 0xc0b1,
  /** Likewise: the addresses of a session. */
  granted: 0xc0b2,
  /** Likewise: which of two binds is the newer. */
  bindSequence: 0xc0b3,
  /** Likewise: shows that who binds hears what is sent to where he binds from. */
  bindCookie: 0xc0b4,
  /** Likewise: asks a reflector for a proof of where one is. */
  proofWanted: 0xc0b5,
  /** Likewise: that proof. */
  addressProof: 0xc0b6,
  /** Our own, from the same range: zeros that make a check as long as a packet of WireGuard's. */
  padding: 0xc0bf,
} as const

/** ERROR-CODE values (RFC 8489 section 14.8, RFC 8656 section 19) that are sent here. */
export const ERROR_CODE = {
  badRequest: 400,
  unauthenticated: 401,
  forbidden: 403,
  unknownAttribute: 420,
  quotaReached: 486,
  insufficientCapacity: 508,
} as const

export function isComprehensionRequired(attribute: number): boolean {
  return attribute < 0x8000
}
