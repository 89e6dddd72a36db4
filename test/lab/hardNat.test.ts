/**
 * A gateway that gives each destination a port of its own, against one that lets in only whom it was sent to: real NATs,
 * with ports that nobody can know. Two machines, so that little else happens on this one.
 */

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Fleet, type Machine } from './fleet.js'
import { Laboratory } from './laboratory.js'

/** 30 s as a rule. Where an effort fails, the next one is a minute later; and this machine may be busy. */
const DEADLINE_MS = 240_000

let lab: Laboratory
let hard: Machine
let easy: Machine

before(async () => {
  lab = await Laboratory.create()
  const fleet = await Fleet.create(lab, { hard: 'symmetric', easy: 'port-restricted' })
  await fleet.start()
  hard = fleet.machine('hard')
  easy = fleet.machine('easy')
})

after(() => lab.close())

test('A symmetric NAT and one that filters by port are crossed by guessing', async (context) => {
  const begunAt = performance.now()
  let isDirect = false
  const decision = hard.daemon
    .untilPeer(easy.wireguard.keys.publicKey, 'direct', ({ state }) => state === 'direct', DEADLINE_MS)
    .finally(() => {
      isDirect = true
    })

  while (!isDirect) await hard.host.ping(easy.tunnelAddress, { timeoutMs: 1_000 })

  const { path } = await decision
  context.diagnostic(`direct after ${Math.round(performance.now() - begunAt)} ms`)
  // By the time that it answers, its record may have named the address at which it was found.
  assert.match(path?.type ?? '', /^(peer|server)-reflexive$/)
  const { path: back } = await easy.daemon.untilDirect(hard.wireguard.keys.publicKey)
  assert.equal(back?.type, 'peer-reflexive')
  for (const [from, to] of [
    [hard, easy],
    [easy, hard],
  ] as const) {
    const { received } = await from.host.ping(to.tunnelAddress, { timeoutMs: 10_000 })
    assert.equal(received, 1, `${from.name} does not reach ${to.name}`)
  }
})
