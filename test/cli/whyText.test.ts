import assert from 'node:assert/strict'
import { test } from 'node:test'
import { renderWhy, sentence } from '../../src/cli/whyText.js'
import type { Finding, Verdict } from '../../src/engine/why.js'
import { sampleExplanation, sampleKey } from './sampleStatus.js'

test('an explanation is a verdict, the effort, and a line for each finding', () => {
  assert.equal(
    renderWhy(sampleKey(4), sampleExplanation),
    `peer: BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ=
  state: unreachable
  why: checks sent to 2 addresses, none answered; both NATs are symmetric: only a relay could help
  effort: for 1 minute, 10 seconds, 3 attempts, the next follows when WireGuard sends again
  - WireGuard's packets: last sent never, last heard never; a first message waits for a path
  - mesh: connected
  - record: issued 40 seconds ago, names 2 addresses and 1 relay
  - look-ups: 2, of which 2 ended
  - knock over a stream 12 seconds ago: failed: no address to dial
  - knock by gossip 11 seconds ago: answered
  - it knocked 5 seconds ago
  - NATs: address-dependent mapping here, address-dependent mapping there
  - 192.168.1.20:51821 (host): 7 checks sent, the last 4 seconds ago; 0 answered
  - 203.0.113.20:51821 (server-reflexive): 1 check sent, the last 4 seconds ago; 0 answered; 2 of its own came from there, the last 3 seconds ago
  - handshakes: 2 first messages in a row came to nothing
`,
  )
})

test('the chain names the relay of a relayed path, and the stream to it', () => {
  const relay = { type: 'relay', address: '203.0.113.1:40000', sinceS: 61, throughStream: false } as const
  const lineOf = (finding: Finding) =>
    renderWhy(sampleKey(4), { ...sampleExplanation, findings: [finding] })
      .trimEnd()
      .split('\n')
      .at(-1)
  assert.equal(lineOf(relay), '  - relay: 203.0.113.1:40000 for 1 minute, 1 second')
  assert.match(lineOf({ ...relay, throughStream: true }) ?? '', /1 second, through a stream in place of UDP$/)
})

const sentences: readonly (readonly [Verdict, RegExp])[] = [
  [{ type: 'external' }, /^external: /],
  [{ type: 'idle' }, /^idle: nobody sent anything/],
  [
    { type: 'direct', remote: '203.0.113.1:1', sinceS: 61, proof: 'handshake' },
    /^direct: to 203\.0\.113\.1:1 for 1 minute, 1 second, proved by WireGuard's own handshake$/,
  ],
  [
    { type: 'relayed', relay: '203.0.113.1:1', sinceS: 1, because: 'own-symmetric' },
    /^relayed by 203\.0\.113\.1:1 for 1 second, because no direct check was answered; the NAT on this side/,
  ],
  [
    { type: 'handshake-unanswered', remote: '203.0.113.1:1', firstMessages: 2 },
    /^checks pass, but the handshake is unanswered: preshared key or peer entry missing on one side/,
  ],
  [{ type: 'path-silent', remote: '203.0.113.1:1' }, /^its path to 203\.0\.113\.1:1 went silent/],
  [{ type: 'under-way', doing: 'looking-up' }, /being looked up$/],
  [{ type: 'under-way', doing: 'knocking' }, /being knocked on$/],
  [{ type: 'under-way', doing: 'checking' }, /being checked$/],
  [{ type: 'offline' }, /^no node of the mesh is connected/],
  [{ type: 'no-record' }, /^no record of it was found/],
  [
    { type: 'knock-not-arrived', relays: 2, reason: 'dial failed', addresses: 3 },
    /^record found, but no knock arrived: none of its 2 relays led to it, and none of 3 addresses answered a check: it is off, or offline \(dial failed\)$/,
  ],
  [
    { type: 'knock-not-arrived', relays: 0, reason: 'dial failed', addresses: 0 },
    /^record found, but no knock arrived: it is off, or offline \(dial failed\)$/,
  ],
  [{ type: 'knock-closed' }, /peer entry for this key is missing on its side/],
  [{ type: 'nothing-to-check' }, /no address is known/],
  [
    { type: 'checks-unanswered', addresses: 1, because: 'one-way' },
    /^checks sent to 1 address, none answered; its own/,
  ],
  [
    { type: 'checks-unanswered', addresses: 4, because: 'unknown' },
    /^checks sent to 4 addresses, none answered; UDP/,
  ],
  [
    { type: 'checks-unanswered', addresses: 4, because: 'peer-symmetric' },
    /the NAT on its side is symmetric$/,
  ],
]

for (const [verdict, expected] of sentences)
  test(`the verdict ${JSON.stringify(verdict)} is a sentence`, () => {
    assert.match(sentence(verdict), expected)
    assert.doesNotMatch(sentence(verdict), /\n/)
  })

test('a peer at a name is said by its name, and by what became of it', () => {
  const name = 'a.lab:51820'
  assert.match(
    sentence({ type: 'name-unresolved', name, reason: 'gone' }),
    /a\.lab:51820 leads nowhere: gone/,
  )
  assert.match(sentence({ type: 'name-unanswered', name, addresses: 2 }), /leads to 2 addresses/)
  assert.match(sentence({ type: 'no-mesh', addresses: 0 }), /name it with --peer/)
  assert.match(sentence({ type: 'no-mesh', addresses: 1 }), /1 address of it did not answer/)
  const known = { type: 'name', name, addresses: ['192.0.2.1:51820'], resolvedS: 5, againInS: 25 } as const
  const findings: readonly Finding[] = [
    { type: 'mesh', online: false, off: true },
    known,
    { ...known, addresses: [], resolvedS: null, againInS: null, failure: 'gone' },
  ]
  const lines = renderWhy(sampleKey(4), { ...sampleExplanation, findings })
    .split('\n')
    .slice(4, -1)
  assert.deepEqual(lines, [
    '  - mesh: none (--no-mesh)',
    '  - name a.lab:51820: 192.0.2.1:51820, resolved 5 seconds ago, again in 25 seconds',
    '  - name a.lab:51820: no address known; the last question failed: gone',
  ])
})
