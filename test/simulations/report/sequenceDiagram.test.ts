import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { renderSequence } from '../../../simulations/report/sequenceDiagram.js'
import { tellStory } from './connectionStory.js'

describe('the sequence diagram', () => {
  const connection = tellStory().connection
  assert.ok(connection !== undefined)
  const page = renderSequence(connection, 'npm run sim -- some-story --seed 1')
  const lines = page.split('\n')

  it('says first what it shows', () => {
    assert.deepEqual(lines.slice(0, 7), [
      '# ana reaches ben',
      '',
      'ana (behind a port-restricted gateway) has a packet for ben (in the open), and no path is known. All times count from then, in milliseconds.',
      'The packet was answered after 345.0 ms.',
      'It took 1 look-up, 1 knock and 8 datagrams between the two, of which 6 arrived.',
      'An arrow stands where its message was sent; one that ends in a cross was lost, or not let in.',
      '',
    ])
    assert.ok(page.includes('`npm run sim -- some-story --seed 1 --sequence <file.md>`'))
  })

  it('has those who take part, a gateway where there is one', () => {
    const participants = lines.filter((line) => line.startsWith('  participant'))
    assert.deepEqual(participants, [
      '  participant wireguardA as WireGuard of ana',
      '  participant tunnelboreA as Tunnelbore of ana',
      '  participant gatewayA as gateway of ana',
      '  participant mesh as mesh server',
      '  participant tunnelboreB as Tunnelbore of ben',
      '  participant wireguardB as WireGuard of ben',
    ])
  })

  it('draws each message with its time, and those not let in as far as the gateway', () => {
    assert.ok(lines.includes('  wireguardA->>tunnelboreA: 0.0 first message'))
    assert.ok(
      lines.includes('  tunnelboreA->>tunnelboreB: 45.0 check, holds a first message, 50.0 on its way'),
    )
    assert.ok(lines.includes('  tunnelboreB-xgatewayA: 70.0 check (2 times), not let in or lost'))
    assert.ok(lines.includes('  Note over wireguardA,wireguardB: 345.0 the packet is answered'))
  })

  it('says so where there was no connection', () => {
    const empty = renderSequence(undefined, 'npm run sim -- some-story --seed 1')
    assert.match(
      empty,
      /^# Nobody reaches anybody\n\nNo connection was wanted before the end of `npm run sim/,
    )
  })

  it('is a mermaid block whose lines each are one statement', () => {
    const begin = lines.indexOf('```mermaid')
    const end = lines.indexOf('```', begin)
    assert.equal(lines[begin + 1], 'sequenceDiagram')
    for (const line of lines.slice(begin + 2, end))
      assert.match(line, /^ {2}(participant \w+ as [^;#]+|\w+(->>|-x)\w+: [^;#]+|Note over \w+,\w+: [^;#]+)$/)
  })
})
