/** The machine on which a benchmark runs: figures mean nothing without it. */

import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os'
import type { Finding } from './report.js'

export function describeMachine(): Finding {
  const properties: readonly (readonly [string, string])[] = [
    ['processor', `${cpus()[0]?.model.trim() || process.arch}, ${availableParallelism()} cores`],
    ['memory', `${(totalmem() / 2 ** 30).toFixed(1)} GiB`],
    ['kernel', `${process.platform} ${release()}`],
    ['node', process.version],
    ['load before', loadavg()[0]?.toFixed(2) ?? '0'],
  ]
  return {
    title: 'The machine',
    columns: [
      { key: 'property', heading: 'property' },
      { key: 'value', heading: 'value' },
    ],
    rows: properties.map(([property, value]) => ({ property, value })),
    notes: [
      'All hosts of the laboratory, and what loads them, share it: compare ratios rather than figures.',
    ],
  }
}
