/**
 * A network that lets no UDP out for a while: two hosts of which one talks with the other, with a ping each 50 ms. The
 * networks of one of them, or of both, begin to block UDP, and let it out again minutes later.
 *
 * Users expect that they go on talking, through streams to a member relay, and that nothing is left of it when UDP is back:
 * a direct path where there was one before, else a relay over UDP; and that hardly a ping is lost on the way back.
 */

import { MINUTE, SECOND } from '../../src/base/time.js'
import type { Machine } from '../hosts/machine.js'
import type { Ping } from '../hosts/pinger.js'
import { Samples } from '../report/distribution.js'
import type { Expectation, Findings } from '../report/findings.js'
import { type Course, pass, passUntil, type Run, type Scenario, type Setting } from '../scenario.js'
import { meetingStage } from './meetingStage.js'
import { type Meeting, udpMeetings } from './networks.js'
import type { Stage } from './stage.js'

const SETTLING_MS = 60 * SECOND
const EVERY_MS = 50
/** Before UDP is blocked they have found the best there is. */
const BEFORE_MS = 30 * SECOND
const BLOCKED_MS = 3 * MINUTE
/** A path that goes silent is suspected within 2 s, and that UDP is blocked is believed after three rounds of questions. */
const FOUND_MS = 10 * SECOND
/** Where UDP is blocked, reflectors are asked once a minute at last (src/engine/path/udpReach.ts). */
const HEALED_MS = 3 * MINUTE
const AFTERWARDS_MS = 5 * SECOND

interface Story {
  readonly name: string
  /** From when UDP was blocked to the next answer to a ping that was sent after; undefined where there was none. */
  readonly silentMs: number | undefined
  /** From when UDP was let out again until no datagram went through a stream; undefined where it never ended. */
  readonly healedMs: number | undefined
  /** Of the pings since then, until a moment after. */
  readonly lost: number
  readonly wayBefore: string
  readonly wayAfter: string
}

export const withoutUdp: Scenario<never> = {
  name: 'without-udp',
  summary: 'Networks stop letting UDP out while two hosts talk, and let it out again',
  parameters: {},
  size: () => ({ hosts: 2 * udpMeetings().length, pairs: udpMeetings().length }),
  begin: (setting) => new WithoutUdp(udpMeetings(), setting).run,
}

class WithoutUdp {
  readonly #meetings: readonly Meeting[]
  readonly #stage: Stage
  readonly #stories: Story[] = []

  constructor(meetings: readonly Meeting[], setting: Pick<Setting<string>, 'seed' | 'observers'>) {
    this.#meetings = meetings
    this.#stage = meetingStage(meetings, setting)
  }

  get run(): Run {
    const { queue } = this.#stage
    const eachMs = BEFORE_MS + BLOCKED_MS + HEALED_MS + AFTERWARDS_MS
    return {
      queue,
      traced: () => this.#stage.traced().slice(0, 2),
      totalMs: SETTLING_MS + 2 * this.#meetings.length * eachMs,
      course: () => this.#course(),
      findings: () => this.#findings(),
    }
  }

  *#course(): Course {
    const stage = this.#stage
    stage.start()
    yield* pass(stage.queue, SETTLING_MS)
    for (const [index, meeting] of this.#meetings.entries()) {
      const [a, b] = [stage.machine(2 * index), stage.machine(2 * index + 1)]
      yield* this.#tell(meeting, 'one side', a, b, [a])
      yield* this.#tell(meeting, 'both sides', a, b, [a, b])
    }
  }

  *#tell({ from, to }: Meeting, where: string, a: Machine, b: Machine, blocked: readonly Machine[]): Course {
    const { queue } = this.#stage
    const sites = blocked.flatMap(({ places }) =>
      places.flatMap(({ site }) => (site === undefined ? [] : this.#stage.site(site.index))),
    )
    const pings: Ping[] = []
    const talk = function* (ms: number, done: () => boolean = () => false): Course<boolean> {
      for (const end = queue.elapsed + ms; queue.elapsed < end; ) {
        pings.push(a.ping(b.publicKey))
        if (yield* passUntil(queue, done, EVERY_MS)) return true
      }
      return false
    }
    yield* talk(BEFORE_MS)
    const wayBefore = this.#stage.wayOf(a, b)
    const blockedAt = queue.elapsed
    const before = pings.length
    for (const site of sites) site.setUdp(false)
    yield* talk(BLOCKED_MS)
    const answers = pings.slice(before).flatMap(({ answeredAt }) => answeredAt ?? [])
    const silentMs = answers.length === 0 ? undefined : Math.min(...answers) - blockedAt

    const backAt = queue.elapsed
    const since = pings.length
    for (const site of sites) site.setUdp(true)
    const isHealed = (): boolean =>
      [a, b].every(({ daemon }) => daemon?.streams.open === 0) &&
      (wayBefore !== 'direct' || this.#stage.wayOf(a, b) === 'direct')
    const healed = yield* talk(HEALED_MS, isHealed)
    const healedMs = healed ? queue.elapsed - backAt : undefined
    yield* talk(AFTERWARDS_MS)
    const counted = pings.slice(since)
    yield* pass(queue, 2 * SECOND)
    this.#stories.push({
      name: `${from} to ${to}, ${where}`,
      silentMs,
      healedMs,
      lost: counted.filter(({ answeredAt }) => answeredAt === undefined).length,
      wayBefore,
      wayAfter: this.#stage.wayOf(a, b),
    })
  }

  #findings(): Findings {
    const [silent, healed] = [new Samples(), new Samples()]
    for (const { silentMs, healedMs } of this.#stories) {
      if (silentMs !== undefined) silent.add(silentMs)
      if (healedMs !== undefined) healed.add(healedMs)
    }
    return {
      measurements: [
        {
          name: 'silent',
          what: 'from when UDP was blocked to the next answer',
          unit: 'ms',
          distribution: silent.distribution,
        },
        {
          name: 'healed',
          what: 'from when it was back until no stream was left, and a direct path was there again',
          unit: 'ms',
          distribution: healed.distribution,
        },
      ],
      tables: [
        {
          name: 'stories',
          title: 'What became of each pair',
          columns: [
            { key: 'name', heading: 'who' },
            { key: 'wayBefore', heading: 'before' },
            { key: 'silentMs', heading: 'silent ms' },
            { key: 'healedMs', heading: 'healed ms' },
            { key: 'lost', heading: 'lost' },
            { key: 'wayAfter', heading: 'after' },
          ],
          rows: this.#stories.map(({ silentMs, healedMs, ...story }) => ({
            ...story,
            silentMs: silentMs ?? null,
            healedMs: healedMs ?? null,
          })),
        },
      ],
      expectations: [...this.#expectations(), ...this.#stage.expectations],
    }
  }

  #expectations(): readonly Expectation[] {
    const named = (is: (story: Story) => boolean) => this.#stories.filter(is).map(({ name }) => name)
    return [
      {
        name: 'goes-on-without-udp',
        what: `who talks is answered again within ${FOUND_MS / SECOND} s after UDP is blocked`,
        broken: named(({ silentMs = Number.POSITIVE_INFINITY }) => silentMs > FOUND_MS),
      },
      {
        name: 'heals-to-udp',
        what: `within ${HEALED_MS / MINUTE} minutes after UDP is back nothing goes through a stream, and it is as it was`,
        broken: named(
          ({ healedMs, wayAfter, wayBefore }) => healedMs === undefined || wayAfter !== wayBefore,
        ),
      },
      {
        name: 'heals-gently',
        what: 'and no more than two pings are lost on the way back',
        broken: named(({ lost }) => lost > 2),
      },
    ]
  }
}
