import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { EVENTS } from '../../../simulations/scenarios/eventList.js'
import { events } from '../../../simulations/scenarios/events.js'

describe('who talks without a member relay', () => {
  it('is answered again within the time that is stated for each event, and somebody noticed it', () => {
    const run = events.begin({ seed: 3, values: { tries: 2, relays: 0 }, observers: [] })
    const course = run.course()
    while (course.next().done !== true);
    const { expectations, tables } = run.findings()
    assert.deepEqual(
      expectations.filter(({ broken }) => broken.length > 0),
      [],
    )
    const rows = tables[0]?.rows ?? []
    assert.equal(rows.length, EVENTS.length)
    for (const { event, noticedBy } of rows) assert.doesNotMatch(String(noticedBy), /nothing/, String(event))
  })
})
