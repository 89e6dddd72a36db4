import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { familyOf } from '../../../src/base/address.js'
import { elapsed, HOUR, type Instant, SECOND } from '../../../src/base/time.js'
import type { Effect } from '../../../src/engine/effects.js'
import { HostNames, MAX_ADDRESSES } from '../../../src/engine/names/hostNames.js'
import { at, START } from '../virtualTime.js'

const NAME = 'a.example.org'

function names(...hosts: readonly string[]) {
  const effects: Effect[] = []
  const all = new HostNames((effect) => effects.push(effect), hosts.length === 0 ? [NAME] : hosts)
  const questions = () => effects.filter(({ type }) => type === 'resolve-name').length
  const warnings = () => effects.filter((effect) => effect.type === 'log' && effect.level === 'warn').length
  const resolved = (ips: readonly string[], at: Instant, ttlMs: number | undefined = 60 * SECOND) =>
    all.answered({ type: 'name-resolved', name: NAME, ips, ttlMs }, at)
  const failed = (at: Instant) => all.answered({ type: 'name-failed', name: NAME, reason: 'gone' }, at)
  return { all, questions, warnings, resolved, failed }
}

describe('the name of a host', () => {
  it('is asked for once at a time, and not at once again', () => {
    const { all, questions, resolved } = names()
    assert.equal(all.ask(NAME, at(0)), true)
    assert.equal(all.ask(NAME, at(5)), true)
    assert.equal(questions(), 1)
    assert.equal(all.get(NAME)?.askableAt, undefined)
    assert.equal(resolved(['192.0.2.7'], at(10)), true)
    assert.equal(all.ask(NAME, at(20)), false)
    assert.equal(all.ask(NAME, at(1_010)), true)
    assert.equal(questions(), 2)
  })

  it('that was not given at the start is nobody', () => {
    const { all, questions } = names()
    assert.equal(all.ask('b.example.org', at(0)), false)
    all.answered({ type: 'name-resolved', name: 'b.example.org', ips: ['192.0.2.7'], ttlMs: 1 }, at(0))
    assert.equal(all.get('b.example.org'), undefined)
    assert.equal(questions(), 0)
  })

  it('that is an address stands for itself, and needs no question', () => {
    const { all, questions } = names('192.0.2.7')
    assert.deepEqual(all.get('192.0.2.7')?.ips, ['192.0.2.7'])
    assert.equal(all.ask('192.0.2.7', at(0)), true)
    assert.equal(all.renewAt('192.0.2.7'), undefined)
    assert.equal(questions(), 0)
  })

  it('is good for as long as its TTL says, within bounds', () => {
    for (const [ttlMs, goodMs] of [
      [0, 5 * SECOND],
      [90 * SECOND, 90 * SECOND],
      [48 * HOUR, HOUR],
      [undefined, 60 * SECOND],
      [Number.NaN, 60 * SECOND],
    ] as const) {
      const { all } = names()
      all.ask(NAME, at(0))
      all.answered({ type: 'name-resolved', name: NAME, ips: ['192.0.2.7'], ttlMs }, at(0))
      assert.equal(all.renewAt(NAME), at(goodMs), `${ttlMs}`)
    }
  })

  it('that fails keeps what it had, is said once, and is asked for ever more rarely', () => {
    const { all, questions, warnings, resolved, failed } = names()
    all.ask(NAME, at(0))
    resolved(['192.0.2.7'], at(0))
    let ms = 1_000
    const pauses: number[] = []
    for (let tries = 0; tries < 8; tries++) {
      assert.equal(all.ask(NAME, at(ms)), true)
      failed(at(ms))
      const next = all.get(NAME)?.askableAt ?? at(0)
      pauses.push(elapsed(at(ms), next))
      ms = elapsed(START, next)
    }
    assert.deepEqual(
      pauses,
      [1, 2, 4, 8, 16, 32, 60, 60].map((s) => s * SECOND),
    )
    assert.deepEqual(all.get(NAME)?.ips, ['192.0.2.7'])
    assert.equal(all.get(NAME)?.failure, 'gone')
    assert.equal(warnings(), 1)
    assert.equal(questions(), 9)
    all.ask(NAME, at(ms))
    resolved(['192.0.2.7'], at(ms))
    assert.equal(all.get(NAME)?.failure, undefined)
  })

  it('that leads to nothing that is an address has failed', () => {
    const { all, resolved } = names()
    all.ask(NAME, at(0))
    assert.equal(resolved(['nonsense', ''], at(0)), false)
    assert.equal(all.get(NAME)?.failure, 'it has no address')
  })

  it('whose addresses come in another order says nothing new', () => {
    const { all, resolved } = names()
    all.ask(NAME, at(0))
    assert.equal(resolved(['192.0.2.7', '192.0.2.8', '2001:db8::7'], at(0)), true)
    const { ips } = all.get(NAME) ?? {}
    assert.equal(resolved(['2001:DB8::7', '192.0.2.8', '192.0.2.7'], at(9_000)), false)
    assert.equal(all.get(NAME)?.ips, ips)
  })

  it('leads to canonical addresses, each once, bounded, families in turns with IPv6 first', () => {
    const ip = fc.oneof(fc.ipV4(), fc.ipV6(), fc.string())
    fc.assert(
      fc.property(fc.array(ip, { maxLength: 60 }), (ips) => {
        const { all, resolved } = names()
        all.ask(NAME, at(0))
        resolved(ips, at(0))
        const found = all.get(NAME)?.ips ?? []
        assert.ok(found.length <= MAX_ADDRESSES)
        assert.equal(new Set(found).size, found.length)
        const families = found.map(familyOf)
        const sixes = families.filter((family) => family === 6).length
        const turns = 2 * Math.min(sixes, families.length - sixes)
        families.slice(0, turns).forEach((family, index) => {
          assert.equal(family, index % 2 === 0 ? 6 : 4)
        })
      }),
    )
  })
})
