import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import fc from 'fast-check'
import { isDropped } from '../../../src/base/drops.js'
import { seededRandom } from '../../../src/base/random.js'
import { after, elapsed, HOUR, MINUTE, SECOND } from '../../../src/base/time.js'
import { openSignedRecord } from '../../../src/crypto/signedRecord.js'
import { BlindedKeys } from '../../../src/engine/directory/blindedKeys.js'
import { LookUps } from '../../../src/engine/directory/lookUps.js'
import { OwnRecord } from '../../../src/engine/directory/ownRecord.js'
import { OwnSequence } from '../../../src/engine/directory/ownSequence.js'
import { Publications } from '../../../src/engine/directory/publications.js'
import type { Effect } from '../../../src/engine/effects.js'
import { periodOf } from '../../../src/wire/period.js'
import { EffectLog } from '../effectLog.js'
import { testNode } from '../nodes.js'
import { nowAt, START, sleepUntil, UNIX_START } from '../virtualTime.js'

type Publish = Extract<Effect, { readonly type: 'publish' }>

const ALICE = testNode(1)
const TODAY = periodOf(UNIX_START)
/** The clock of the tests begins at 8:00. */
const TEN_IN_THE_EVENING = 14 * HOUR

let author: Author

beforeEach(() => {
  author = new Author()
})

describe('our own record', () => {
  it('is published for today at once, and for tomorrow one to ten minutes later', () => {
    author.online()
    const times = author.run(HOUR).map(({ ms, effect }) => [effect.period - TODAY, ms] as const)
    assert.deepEqual(times[0], [0, 0])
    const tomorrow = times.find(([period]) => period === 1)?.[1] ?? 0
    assert.ok(tomorrow >= MINUTE && tomorrow < 11 * MINUTE)
  })

  it('lies under the blinded key of its period, and opens there', () => {
    author.online()
    for (const { effect } of author.run(HOUR)) {
      assert.deepEqual(effect.key, ALICE.sealing.blindedKey(ALICE.publicKey, effect.period))
      const opened = ALICE.sealing.open(effect.sealedRecord, ALICE.publicKey)
      assert.ok(!isDropped(opened))
      assert.deepEqual([opened.period, opened.sequence], [effect.period, effect.sequence])
      assert.ok(!isDropped(openSignedRecord(opened.signedRecord)))
    }
  })

  it('shares its number with no other sealing, of whichever period', () => {
    author.online()
    const sequences = author.run(30 * HOUR).map(({ effect }) => effect.sequence)
    assert.equal(new Set(sequences).size, sequences.length)
    assert.deepEqual(sequences, [...sequences].sort())
  })

  it('is there in every period that is read, at every hour of three days, and in none that is over', () => {
    author.online()
    const last = new Map<number, number>()
    const published = author.run(72 * HOUR)
    for (let ms = HOUR; ms < 72 * HOUR; ms += 10 * MINUTE) {
      for (const { ms: at, effect } of published) if (at <= ms) last.set(effect.period, at)
      for (const skew of [-2 * HOUR, 0, 2 * HOUR]) {
        const at = last.get(periodOf(after(UNIX_START, ms + skew)))
        assert.ok(at !== undefined && ms - at <= 12 * MINUTE, `${ms / HOUR} ${skew / HOUR}`)
      }
    }
    for (const { ms, effect } of published)
      assert.ok(effect.period >= periodOf(after(UNIX_START, ms - 2 * HOUR)))
  })

  it('is never published for two days together, nor under numbers that follow each other, also around midnight', () => {
    author.online()
    author.run(TEN_IN_THE_EVENING - MINUTE)
    let number = 0
    for (let turn = 0; turn < 10; turn++) {
      const { instant, unix } = author.now
      author.say(`192.0.2.${turn}`)
      const published = author.run(29 * MINUTE)
      const [first] = published
      assert.ok(first !== undefined && first.ms <= elapsed(START, instant) + SECOND)
      assert.equal(first.effect.period, periodOf(unix))
      for (const { effect } of published) {
        assert.ok(effect.sequence - number >= 10)
        number = effect.sequence
      }
    }
  })

  it('is published in the periods that a clock names which was set', () => {
    author.online()
    author.run(HOUR)
    author.clockAheadMs = 5 * 24 * HOUR
    author.wake()
    const periods = author.run(HOUR).map(({ effect }) => effect.period - TODAY)
    assert.deepEqual([...new Set(periods)].sort(), [5, 6])
  })

  it('ends with the mesh', () => {
    author.online()
    author.run(HOUR)
    author.offline()
    assert.equal(author.publications.nextWake, undefined)
    author.say('192.0.2.8')
    assert.deepEqual(author.run(30 * HOUR), [])
  })

  it('is published no more often than every ten seconds in the long run, however often it changes', () => {
    author.online()
    let count = 0
    for (let turn = 0; turn < 600; turn++) {
      author.say(`192.0.2.${turn % 2}`)
      count += author.run(SECOND).filter(({ effect }) => effect.period === TODAY).length
    }
    assert.ok(count <= 70, `${count} times in ten minutes`)
  })
})

describe('gossip of our own record', () => {
  it('says what is new, once, for today only', () => {
    author.online(true)
    const first = author.run(HOUR).filter(({ effect }) => effect.gossip)
    assert.deepEqual(
      first.map(({ effect }) => effect.period),
      [TODAY],
    )
    author.say('192.0.2.7')
    const second = author.run(30 * HOUR).filter(({ effect }) => effect.gossip)
    assert.deepEqual(
      second.map(({ effect }) => effect.period),
      [TODAY],
    )
  })

  it('is repeated when we join again, and not when a publication failed', () => {
    author.acknowledgements = 0
    author.online(true)
    assert.equal(author.run(HOUR).filter(({ effect }) => effect.gossip).length, 1)
    author.offline()
    author.online(true)
    assert.equal(author.run(HOUR).filter(({ effect }) => effect.gossip).length, 1)
  })

  it('waits until it is heard, and then does not wait long', () => {
    author.online(false)
    assert.ok(author.run(MINUTE).every(({ effect }) => !effect.gossip))
    author.online(true)
    const [heard] = author.run(SECOND)
    assert.deepEqual([heard?.effect.gossip, heard?.effect.period], [true, TODAY])
    author.online(false)
    author.online(true)
    assert.deepEqual(author.run(SECOND), [])
  })
})

describe('an author who lost his disk', () => {
  it('asks for his own record when he joins, until he was told what there is', () => {
    author = new Author(0)
    author.online()
    const asked = { type: 'look-up', peer: ALICE.publicKey }
    assert.deepEqual(author.lookUps(), [asked])
    author.offline()
    author.lookedUp()
    author.online()
    assert.deepEqual(author.lookUps(), [asked])
    author.lookedUp()
    author.offline()
    author.online()
    assert.deepEqual(author.lookUps(), [])
  })

  it('gets ahead of the record that he finds, and publishes again', () => {
    author.online(true)
    author.run(HOUR)
    const ahead = UNIX_START + 2 * HOUR
    assert.equal(author.publications.seen([ahead, ahead - 5], author.now), true)
    const [again] = author.run(SECOND)
    assert.ok(again !== undefined && again.effect.sequence > ahead && again.effect.gossip)
    const opened = ALICE.sealing.open(again.effect.sealedRecord, ALICE.publicKey)
    assert.ok(!isDropped(opened))
    const record = openSignedRecord(opened.signedRecord)
    assert.ok(!isDropped(record) && record.sequence > ahead)
  })

  it('does not mind what he knows, nor what nobody believes', () => {
    author.online()
    const [{ effect } = none()] = author.run(SECOND)
    for (const sequence of [1, effect.sequence, UNIX_START + 2 * HOUR + 2 * SECOND])
      assert.equal(author.publications.seen([sequence], author.now), false)
    assert.deepEqual(author.run(SECOND), [])
  })

  it('asks again where nobody acknowledges anything: a storer that has a newer one says nothing', () => {
    author.acknowledgements = 0
    author.online()
    author.run(3 * SECOND)
    assert.deepEqual(author.lookUps(), [])
    author.run(10 * SECOND)
    assert.equal(author.lookUps().length, 1)
  })

  it('does not race with another machine that has the same key: a few times, then every five minutes', () => {
    author.online()
    author.run(HOUR)
    let count = 0
    for (let turn = 0; turn < 3_600; turn++) {
      const last = author.sequence.next(author.now.unix)
      author.publications.seen([last + 1], author.now)
      count += author.run(SECOND).filter(({ effect }) => effect.period === TODAY).length
    }
    // In an hour twelve for that, three at first, and six or seven as ever.
    assert.ok(count <= 24, `${count} times`)
  })
})

describe('the laws of an engine', () => {
  const steps = fc.array(
    fc.tuple(
      fc.oneof(fc.nat({ max: 200 }), fc.nat({ max: 20 * MINUTE })),
      fc.constantFrom<(author: Author) => void>(
        (one) => one.online(),
        (one) => one.online(true),
        (one) => one.offline(),
        (one) => one.say('192.0.2.7'),
        (one) => one.say('192.0.2.8'),
        (one) => void one.publications.seen([one.now.unix + MINUTE], one.now),
        (one) => {
          one.acknowledgements = 1 - one.acknowledgements
        },
      ),
    ),
    { maxLength: 10 },
  )

  it('hold: it is never to be woken in the past, and waking it early changes nothing', () => {
    fc.assert(
      fc.property(steps, (taken) => {
        const outcomes = [false, true].map((early) => {
          const one = new Author()
          const published = taken.flatMap(([gap, happen]) => {
            const before = early ? one.run(Math.floor(gap / 2)) : []
            if (early) one.wake()
            const rest = one.run(early ? gap - Math.floor(gap / 2) : gap)
            happen(one)
            return [...before, ...rest]
          })
          return [...published, ...one.run(HOUR)].map(({ ms, effect }) => [
            ms,
            effect.period,
            effect.sequence,
          ])
        })
        assert.deepEqual(outcomes[1], outcomes[0])
      }),
      { numRuns: 30 },
    )
  })
})

/** Publishes, and has each publication acknowledged at once. */
class Author {
  readonly sequence: OwnSequence
  readonly publications: Publications
  acknowledgements = 1
  clockAheadMs = 0
  readonly #record: OwnRecord
  readonly #log = new EffectLog()
  readonly #lookUps: LookUps
  readonly #asked: Effect[] = []
  #ms = 0

  constructor(last = UNIX_START - HOUR) {
    const random = seededRandom(1)
    this.sequence = new OwnSequence(last)
    const { keys, publicKey, sealing } = ALICE
    this.#record = new OwnRecord({ keys, identity: new Uint8Array(32), random, sequence: this.sequence })
    this.#lookUps = new LookUps(new BlindedKeys(sealing), this.#log.emit)
    this.publications = new Publications(
      {
        ownKey: publicKey,
        sealing,
        record: this.#record,
        sequence: this.sequence,
        random,
        lookUps: this.#lookUps,
        emit: this.#log.emit,
      },
      last === 0,
      START,
    )
  }

  get now() {
    const { instant, unix } = nowAt(this.#ms)
    return { instant, unix: after(unix, this.clockAheadMs) }
  }

  online(gossips = false): void {
    this.publications.setOnline(true, gossips, this.now)
  }

  offline(): void {
    this.publications.setOnline(false, false, this.now)
  }

  say(ip: string): void {
    const address = { ip, port: 51_821 }
    const nat = { mapping: 'unknown', filtering: 'unknown' } as const
    if (this.#record.describe({ candidates: [{ type: 'host', address }], multiaddrs: [], nat }))
      this.publications.change(this.now.instant)
  }

  /** The look-ups since the last time, without their keys. */
  lookUps(): readonly object[] {
    this.#take()
    return this.#asked.splice(0).map((effect) => (effect.type === 'look-up' ? omitKeys(effect) : effect))
  }

  lookedUp(): void {
    this.#lookUps.ended(ALICE.publicKey)
    this.publications.lookedUp()
  }

  wake(): readonly Publish[] {
    this.publications.wake(this.now)
    const published = this.#take()
    for (const { period } of published) this.publications.ended(period, this.acknowledgements, this.now)
    return published
  }

  run(ms: number): readonly { readonly ms: number; readonly effect: Publish }[] {
    const published: { readonly ms: number; readonly effect: Publish }[] = []
    const until = this.#ms + ms
    // What was asked for meanwhile may be due by now.
    const { nextWake } = this.publications
    if (nextWake !== undefined && elapsed(START, nextWake) <= this.#ms)
      published.push(...this.wake().map((effect) => ({ ms: this.#ms, effect })))
    sleepUntil(this.publications, this.#ms, until, (at) => {
      this.#ms = at
      published.push(...this.wake().map((effect) => ({ ms: at, effect })))
    })
    this.#ms = until
    return published
  }

  #take(): readonly Publish[] {
    return this.#log.take().flatMap((effect) => {
      if (effect.type === 'publish') return [effect]
      this.#asked.push(effect)
      return []
    })
  }
}

function omitKeys({ type, peer }: Extract<Effect, { readonly type: 'look-up' }>) {
  return { type, peer }
}

function none(): never {
  throw new TypeError('nothing was published')
}
