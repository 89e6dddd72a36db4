/**
 * What a program may import: a whole node with its configuration, the engine without any I/O, and the formats that
 * nodes speak. What is not named here may change at any time.
 *
 * - A node: {@link startUp} and {@link startBootstrap}, as the command line runs them; {@link askStatus} asks one that runs.
 * - The engine: {@link Node} takes inputs at a moment, returns effects, and does no I/O.
 * - Formats: records, knocks, STUN; {@link classify} tells STUN from WireGuard. What comes from outside is decoded or
 *   {@link Dropped}, never thrown.
 */

import './io/nodeCompatibility.js'

export {
  formatSocketAddress,
  parseSocketAddress,
  type SocketAddress,
} from './base/address.js'
export { DROP_REASONS, type Dropped, type DropReason, isDropped } from './base/drops.js'
export { type PublicKey, parsePublicKey, publicKeyBytes, publicKeyFromBytes } from './base/publicKey.js'
export { type Random, seededRandom } from './base/random.js'
export { asInstant, asUnixTime, type Instant, type Now, type UnixTime } from './base/time.js'
export { UserError } from './base/userError.js'
export { VERSION } from './base/version.js'
export { type NodeKeys, nodeKeys } from './crypto/nodeKeys.js'
export {
  admitSealedRecord,
  type OpenedSealedRecord,
  type RecordSealing,
  recordSealing,
  verifySealedRecord,
} from './crypto/sealedRecord.js'
export { openSignedRecord, signRecord } from './crypto/signedRecord.js'
export { type XeddsaKeyPair, xeddsaKeyPair, xeddsaSign, xeddsaVerify } from './crypto/xeddsa.js'
export { startBootstrap } from './daemon/bootstrap.js'
export { type BootstrapConfig, bootstrapConfig, type UpConfig, upConfig } from './daemon/config.js'
export { askResolve, askStatus, NotRunningError } from './daemon/controlClient.js'
export { createLogger, type Logger } from './daemon/logger.js'
export { controlSocketPath } from './daemon/runDirectory.js'
export type { RunningNode } from './daemon/runningNode.js'
export { ConfigError, readConfigFile, type Settings } from './daemon/settings.js'
export type { PeerState, PeerStatus, ResolvedRecord, Status } from './daemon/status.js'
export { startUp } from './daemon/up.js'
export type { Effect } from './engine/effects.js'
export type {
  Input,
  InterfacePeer,
  LocalSocket,
  MachineRoute,
  SocketId,
  SocketPurpose,
} from './engine/inputs.js'
export type { LoopbackPlan } from './engine/loopback/endpoints.js'
export { Node, type NodeOptions } from './engine/node.js'
export type { NodeStatus, PeerStatus as NodePeerStatus } from './engine/status.js'
export { now } from './io/systemClock.js'
export { systemRandom } from './io/systemRandom.js'
export type { Candidate, CandidateType } from './wire/candidate.js'
export { classify } from './wire/classify.js'
export {
  decodeKnock,
  decodeKnockAnswer,
  encodeKnock,
  encodeKnockAnswer,
  type Knock,
  type KnockAnswer,
} from './wire/knock.js'
export {
  decodeRecord,
  decodeSignedRecord,
  encodeRecord,
  encodeSignedRecord,
  type NatBehaviour,
  type NatFiltering,
  type NatMapping,
  type PeerRecord,
  type SignedRecord,
} from './wire/record.js'
export {
  decodeSealedRecord,
  encodeSealedRecord,
  type SealedRecord,
  type SealedRecordHead,
} from './wire/sealedRecord.js'
export { verifyIntegrity } from './wire/stun/integrity.js'
export {
  type DecodedStun,
  decodeStun,
  encodeStun,
  isStun,
  type StunClass,
  type StunMessage,
} from './wire/stun/message.js'
export { BINDING, ERROR_CODE } from './wire/stun/registry.js'
