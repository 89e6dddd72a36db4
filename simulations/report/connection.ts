/** How two hosts came to talk: what was said between whom, and when. */

/** Who says and hears something. The gateways are there where a host is behind one. */
export const PARTIES = [
  'wireguardA',
  'tunnelboreA',
  'gatewayA',
  'mesh',
  'gatewayB',
  'tunnelboreB',
  'wireguardB',
] as const

export type Party = (typeof PARTIES)[number]

export interface Step {
  /** Milliseconds since the connection was first wanted; of what takes time, when it was sent. */
  readonly atMs: number
  readonly from: Party
  /** Of what never arrived, where it was to go. */
  readonly to: Party
  readonly what: string
  /** How long it was on its way: 0 within a machine, undefined for what never arrived. */
  readonly tookMs: number | undefined
}

/** One end of a connection. */
export interface End {
  readonly name: string
  /** What stands between it and the internet, in words; undefined where nothing does. */
  readonly gateway: string | undefined
}

export interface Connection {
  /** The host that wanted it first, and its peer. */
  readonly ends: readonly [End, End]
  /** In the order of their times. */
  readonly steps: readonly Step[]
  /** When the first packet was answered; undefined where none was before the watch ended. */
  readonly answeredMs: number | undefined
}
