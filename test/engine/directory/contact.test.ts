import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import fc from 'fast-check'
import { after, asInstant, elapsed, type Instant, SECOND } from '../../../src/base/time.js'
import { Contact, type Situation } from '../../../src/engine/directory/contact.js'
import type { KnownRecord } from '../../../src/engine/directory/directory.js'
import { PUNCH_MS } from '../../../src/engine/path/series.js'
import { recordOf, testNode } from '../nodes.js'
import { at, START, sleepUntil } from '../virtualTime.js'

const ALICE = testNode(1)
const ATTEMPT_MS = 12 * SECOND
const NOTHING = { lookUp: false, knock: undefined }

let contact: Contact

beforeEach(() => {
  contact = new Contact()
})

describe('an attempt', () => {
  it('begins when a path is wanted, once', () => {
    assert.equal(contact.isUnderWay, false)
    assert.equal(contact.nextWake, undefined)
    assert.deepEqual(pursue(situation(), 0), NOTHING)
    assert.equal(contact.reason, 'nothing was sent to it yet')
    assert.equal(contact.begin(START), true)
    assert.equal(contact.begin(START), false)
    assert.equal(contact.isUnderWay, true)
    assert.equal(contact.hasFailed, false)
    assert.equal(contact.reason, 'looking for it')
  })

  it('ends after 12 s, which is longer than a punching effort', () => {
    contact.begin(START)
    pursue(situation(), 0)
    assert.equal(contact.nextWake, at(ATTEMPT_MS))
    assert.ok(ATTEMPT_MS > PUNCH_MS)
    assert.equal(contact.wake(at(ATTEMPT_MS - 1)), false)
    assert.equal(contact.wake(at(ATTEMPT_MS)), true)
    assert.equal(contact.wake(at(ATTEMPT_MS)), false)
    assert.equal(contact.isUnderWay, false)
    assert.equal(contact.hasFailed, true)
    assert.equal(contact.nextWake, undefined)
  })

  it('ends with a path', () => {
    contact.begin(START)
    pursue(situation(), 0)
    contact.succeed()
    assert.equal(contact.isUnderWay, false)
    assert.equal(contact.hasFailed, false)
    assert.equal(contact.reason, 'connected')
    assert.equal(contact.begin(at(1)), true)
  })

  it('is made ever more rarely where it fails: after 1 s, and twice as long each time, up to 60 s', () => {
    let now = 0
    for (const wait of [1, 2, 4, 8, 16, 32, 60, 60].map((seconds) => seconds * SECOND)) {
      assert.equal(contact.begin(at(now)), true)
      now += ATTEMPT_MS
      assert.equal(contact.wake(at(now)), true)
      assert.equal(contact.begin(at(now + wait - 1)), false)
      now += wait
    }
    assert.equal(contact.begin(at(now)), true)
  })

  it('need not wait where something changed for the better', () => {
    contact.begin(START)
    contact.wake(at(ATTEMPT_MS))
    assert.equal(contact.begin(at(ATTEMPT_MS)), false)
    contact.encourage()
    assert.equal(contact.hasFailed, false)
    assert.equal(contact.begin(at(ATTEMPT_MS)), true)
  })
})

describe('news of the peer', () => {
  const fail = (ms: number) => {
    contact.begin(at(ms))
    contact.wake(at(ms + ATTEMPT_MS))
  }

  it('lets the next attempt begin at once, where the last one did not get in touch', () => {
    fail(0)
    contact.heardOf(false)
    assert.equal(contact.begin(at(ATTEMPT_MS)), true)
  })

  it('makes no difference where the two were in touch in the attempt that failed, unless the peer has moved', () => {
    contact.begin(START)
    contact.inTouch()
    contact.wake(at(ATTEMPT_MS))
    contact.heardOf(false)
    assert.equal(contact.hasFailed, true)
    assert.equal(contact.begin(at(ATTEMPT_MS)), false)
    contact.heardOf(true)
    assert.equal(contact.begin(at(ATTEMPT_MS)), true)
  })

  it('counts once where the peer knocks after an attempt that did not get in touch', () => {
    fail(0)
    contact.heardOf(false)
    contact.inTouch()
    fail(ATTEMPT_MS)
    contact.heardOf(false)
    contact.inTouch()
    assert.equal(contact.begin(at(2 * ATTEMPT_MS)), true)
    contact.inTouch()
    contact.wake(at(3 * ATTEMPT_MS))
    contact.heardOf(false)
    contact.inTouch()
    assert.equal(contact.begin(at(3 * ATTEMPT_MS)), false)
  })

  it('of a peer that answered our knock is no reason either', () => {
    contact.begin(START)
    pursue(situation({ record: known(1) }), 0)
    contact.knockAnswered(at(10))
    contact.wake(at(ATTEMPT_MS))
    contact.heardOf(false)
    assert.equal(contact.begin(at(ATTEMPT_MS)), false)
  })

  it('is worth an attempt again after one in which it did not answer', () => {
    contact.begin(START)
    contact.inTouch()
    contact.wake(at(ATTEMPT_MS))
    fail(20 * SECOND)
    contact.heardOf(false)
    assert.equal(contact.begin(at(20 * SECOND + ATTEMPT_MS)), true)
  })
})

describe('a look-up', () => {
  beforeEach(() => {
    contact.begin(START)
  })

  it('is made at once where no record is known, one at a time', () => {
    assert.deepEqual(pursue(situation(), 0), { lookUp: true, knock: undefined })
    assert.equal(contact.reason, 'looking its record up')
    assert.deepEqual(pursue(situation(), 5_000), NOTHING)
  })

  it('that finds nothing is made again after 500 ms, and twice as long each time, up to 4 s', () => {
    const waits: number[] = []
    let now = 0
    while (now < ATTEMPT_MS) {
      assert.equal(pursue(situation(), now).lookUp, true)
      contact.lookUpEnded(undefined, at(now))
      assert.equal(contact.reason, 'no record of it is in the mesh')
      const wait = elapsed(at(now), contact.nextWake ?? START)
      assert.equal(pursue(situation(), now + wait - 1).lookUp, false)
      waits.push(wait)
      now += wait
    }
    assert.deepEqual(waits, [500, 1_000, 2_000, 4_000, 4_000, 500])
  })

  it('needs somebody to ask', () => {
    assert.deepEqual(pursue(situation({ online: false }), 0), NOTHING)
    assert.equal(contact.reason, 'no node that serves the mesh is connected')
    assert.equal(pursue(situation(), 10).lookUp, true)
  })

  it('is spared where the record was heard of within 30 s, and made beside the knock where it was not', () => {
    assert.equal(pursue(situation({ record: known(1, -30 * SECOND + 1) }), 0).lookUp, false)
    contact = new Contact()
    contact.begin(START)
    const steps = pursue(situation({ record: known(1, -30 * SECOND) }), 0)
    assert.equal(steps.lookUp, true)
    assert.equal(steps.knock?.sequence, 1)
    contact.lookUpEnded(known(1, -30 * SECOND), at(10))
    assert.equal(pursue(situation({ record: known(1, -30 * SECOND) }), 5_000).lookUp, false)
  })

  it('is made where the record that is known was knocked on in vain', () => {
    const record = known(1)
    assert.equal(pursue(situation({ record }), 0).lookUp, false)
    contact.knockFailed('no answer', at(100))
    assert.equal(pursue(situation({ record }), 100).lookUp, true)
  })

  it('that ends after the attempt does no harm', () => {
    pursue(situation(), 0)
    contact.wake(at(ATTEMPT_MS))
    contact.encourage()
    contact.begin(at(ATTEMPT_MS))
    assert.equal(pursue(situation(), ATTEMPT_MS).lookUp, false)
    contact.succeed()
    contact.lookUpEnded(undefined, at(ATTEMPT_MS + 1))
    assert.equal(contact.reason, 'connected')
  })
})

describe('a knock', () => {
  beforeEach(() => {
    contact.begin(START)
  })

  it('is made at once on a record that is known, one at a time', () => {
    const record = known(1)
    assert.equal(pursue(situation({ record }), 0).knock, record.record)
    assert.equal(contact.reason, 'knocking')
    assert.equal(pursue(situation({ record }), 5_000).knock, undefined)
  })

  it('needs no node that serves the mesh: the peer may be reached without', () => {
    assert.equal(pursue(situation({ record: known(1), online: false }), 0).knock?.sequence, 1)
  })

  it('does not wait until our own record says where we are: mostly it does', () => {
    const record = known(1)
    assert.equal(pursue(situation({ record, ready: false }), 0).knock, record.record)
    assert.deepEqual(pursue(situation({ record }), 10), NOTHING)
  })

  it('is made again, beside the first, once our own record says that we are elsewhere', () => {
    const record = known(1)
    assert.equal(pursue(situation({ record, ready: false, own: 1 }), 0).knock, record.record)
    assert.deepEqual(pursue(situation({ record, ready: false, own: 2 }), 10), NOTHING)
    assert.equal(pursue(situation({ record, ready: true, own: 2 }), 20).knock, record.record)
    assert.deepEqual(pursue(situation({ record, ready: true, own: 2 }), 30), NOTHING)
  })

  it('is made again for three changes of our own record in an attempt, and in due time after that', () => {
    const record = known(1)
    const knocked = (own: number, ms: number) => pursue(situation({ record, own }), ms).knock !== undefined
    assert.deepEqual(
      [1, 2, 3, 4, 5, 6].map((own) => knocked(own, own * 10)),
      [true, true, true, true, false, false],
    )
    contact.knockFailed('no answer', at(100))
    assert.equal(knocked(7, 1_099), false)
    assert.equal(contact.nextWake, at(1_100))
    assert.equal(knocked(7, 1_100), true)
    contact.wake(at(ATTEMPT_MS))
    contact.knockFailed('no answer', at(ATTEMPT_MS))
    contact.encourage()
    contact.begin(at(ATTEMPT_MS))
    assert.deepEqual(
      [7, 8].map((own) => knocked(own, ATTEMPT_MS + own * 10)),
      [true, true],
    )
  })

  it('that was answered is made again as well where we turn out to be elsewhere', () => {
    const record = known(1)
    pursue(situation({ record, ready: false, own: 1 }), 0)
    contact.knockAnswered(at(100))
    assert.deepEqual(pursue(situation({ record, ready: false, own: 2 }), 110), NOTHING)
    assert.equal(pursue(situation({ record, own: 2 }), 120).knock, record.record)
  })

  it('of another attempt waits for the one that is still under way', () => {
    const record = known(1)
    pursue(situation({ record }), 0)
    contact.succeed()
    contact.begin(at(10))
    assert.deepEqual(pursue(situation({ record, own: 2 }), 10), NOTHING)
    contact.knockFailed('no answer', at(4_000))
    contact.succeed()
    contact.begin(at(4_010))
    assert.equal(pursue(situation({ record, own: 2 }), 4_010).knock, record.record)
  })

  it('that fails, and so does the one beside it, has the record looked up', () => {
    const record = known(1)
    pursue(situation({ record, ready: false, own: 1 }), 0)
    pursue(situation({ record, own: 2 }), 20)
    contact.knockFailed('no answer', at(4_000))
    contact.knockFailed('no answer', at(4_020))
    assert.equal(pursue(situation({ record, own: 2 }), 4_020).lookUp, true)
  })

  it('that fails is made again after 1 s, and twice as long each time, up to 4 s', () => {
    assert.deepEqual(
      knockWaits((ms) => contact.knockFailed('no answer', at(ms))),
      [1_000, 2_000, 4_000, 4_000],
    )
  })

  it('that is answered, and no path comes of it, is made again as well', () => {
    assert.deepEqual(
      knockWaits((ms) => contact.knockAnswered(at(ms))),
      [1_000, 2_000, 4_000, 4_000],
    )
  })

  it('says how it ended', () => {
    pursue(situation({ record: known(1) }), 0)
    contact.knockFailed('no answer', at(10))
    assert.equal(contact.reason, 'its record is known, but it answers no knock: no answer')
    pursue(situation({ record: known(2) }), 10)
    contact.knockAnswered(at(20))
    assert.equal(contact.reason, 'it answered our knock, and no check has got through yet')
  })

  it('is made at once on another record than the one that failed', () => {
    pursue(situation({ record: known(1) }), 0)
    contact.knockFailed('no answer', at(100))
    assert.equal(pursue(situation({ record: known(1) }), 110).knock, undefined)
    assert.equal(pursue(situation({ record: known(2) }), 120).knock?.sequence, 2)
  })

  it('that ends after the attempt does no harm', () => {
    pursue(situation({ record: known(1) }), 0)
    contact.succeed()
    contact.knockFailed('no answer', at(10))
    assert.equal(contact.reason, 'connected')
    contact.knockAnswered(at(11))
    assert.equal(contact.reason, 'connected')
  })
})

describe('the laws of an engine', () => {
  const situations = fc.record({
    record: fc.option(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: -60 * SECOND, max: 0 })), {
      nil: undefined,
    }),
    online: fc.boolean(),
    ready: fc.boolean(),
    own: fc.nat({ max: 2 }),
  })
  const steps: fc.Arbitrary<readonly Step[]> = fc.array(
    fc.record({
      gap: fc.oneof(fc.nat({ max: 100 }), fc.nat({ max: 8_000 })),
      event: fc.constantFrom(
        'begin',
        'succeed',
        'encourage',
        'heardOf',
        'inTouch',
        'lookUpEnded',
        'knockAnswered',
        'knockFailed',
      ),
      situation: situations,
    }),
    { maxLength: 15 },
  )

  it('hold: it is never to be woken in the past, and without input it comes to an end', () => {
    fc.assert(
      fc.property(steps, (taken) => {
        play([{ gap: 0, event: 'begin', situation: ALONE }, ...taken], 0, [])
      }),
    )
  })

  it('hold: waking it early changes nothing', () => {
    fc.assert(
      fc.property(steps, fc.array(fc.nat({ max: 60_000 }), { maxLength: 20 }), (taken, early) => {
        assert.deepEqual(play(taken, 0, early), play(taken, 0, []))
      }),
    )
  })

  it('hold: times mean nothing in themselves', () => {
    fc.assert(
      fc.property(steps, fc.integer({ min: -900_000, max: 900_000 }), (taken, shift) => {
        assert.deepEqual(play(taken, shift, []), play(taken, 0, []))
      }),
    )
  })

  it('hold: one look-up at most is under way, and a knock beside another only to say that we are elsewhere', () => {
    fc.assert(
      fc.property(steps, (taken) => {
        let lookUps = 0
        let knockedAs: string | undefined
        for (const line of play(taken, 0, [])) {
          if (line.endsWith('look up')) lookUps++
          if (line.endsWith('lookUpEnded')) lookUps = 0
          assert.ok(lookUps <= 1, line)
          const as = /knock \d as (\d)/.exec(line)?.[1]
          assert.ok(as === undefined || as !== knockedAs, line)
          knockedAs = as ?? (/knock(Answered|Failed)$/.test(line) ? undefined : knockedAs)
        }
      }),
    )
  })
})

const ALONE = { record: undefined, online: true, ready: true, own: 1 }

interface Step {
  readonly gap: number
  readonly event: string
  readonly situation: Omit<Situation, 'record'> & { readonly record: readonly [number, number] | undefined }
}

/** Plays a story as a peer would: after every event it is asked what to do. Returns all that happened, a line each. */
function play(steps: readonly Step[], shift: number, early: readonly number[]): readonly string[] {
  const start = after(START, shift)
  const played = new Contact()
  const lines: string[] = []
  let now = 0
  let present: Situation = situation()
  const instant = (ms: number): Instant => after(start, ms)
  const settle = () => {
    const { lookUp, knock } = played.pursue(present, instant(now))
    if (lookUp) lines.push(`${now} look up`)
    if (knock !== undefined) lines.push(`${now} knock ${knock.sequence} as ${present.own}`)
  }
  const wake = (ms: number) => {
    now = ms
    if (played.wake(instant(now))) lines.push(`${now} failed`)
    settle()
  }
  const needless = [...early].sort((a, b) => a - b)
  const pass = (until: number) => {
    const sleeper = {
      get nextWake() {
        const wanted =
          played.nextWake === undefined ? until : Math.min(until, elapsed(start, played.nextWake))
        while ((needless[0] ?? Number.POSITIVE_INFINITY) < wanted) wake(needless.shift() ?? 0)
        return played.nextWake === undefined ? undefined : asInstant(played.nextWake - shift)
      },
    }
    sleepUntil(sleeper, now, until, wake)
    now = until
  }
  for (const {
    gap,
    event,
    situation: { record, online, ready, own },
  } of steps) {
    pass(now + gap)
    present = {
      online,
      ready,
      own,
      record: record && { ...known(record[0]), heardAt: instant(now + record[1]) },
    }
    lines.push(`${now} ${event}`)
    if (event === 'begin') played.begin(instant(now))
    else if (event === 'succeed') played.succeed()
    else if (event === 'encourage') played.encourage()
    else if (event === 'heardOf') played.heardOf(own === 2)
    else if (event === 'inTouch') played.inTouch()
    else if (event === 'lookUpEnded') played.lookUpEnded(present.record, instant(now))
    else if (event === 'knockAnswered') played.knockAnswered(instant(now))
    else played.knockFailed('no answer', instant(now))
    settle()
  }
  pass(now + 3_600 * SECOND)
  assert.equal(played.nextWake, undefined)
  return lines
}

function situation(fields: Partial<Situation> = {}): Situation {
  return { ...ALONE, ...fields }
}

/** A record that was heard of `heardMs` after {@link START}. */
function known(sequence: number, heardMs = 0): KnownRecord {
  return { record: recordOf(ALICE, { sequence }), heardAt: at(heardMs) }
}

function pursue(present: Situation, ms: number): ReturnType<Contact['pursue']> {
  return contact.pursue(present, at(ms))
}

/** How long it takes from the end of each of four knocks until the next. */
function knockWaits(end: (ms: number) => void): readonly number[] {
  const present = situation({ record: known(1), online: false })
  const waits: number[] = []
  let now = 0
  for (let count = 0; count < 4; count++) {
    assert.equal(pursue(present, now).knock?.sequence, 1)
    end(now)
    const wait = elapsed(at(now), contact.nextWake ?? START)
    assert.equal(pursue(present, now + wait - 1).knock, undefined)
    waits.push(wait)
    now += wait
  }
  return waits
}
