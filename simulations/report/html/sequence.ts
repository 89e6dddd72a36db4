/** A connection as a sequence diagram: who says what to whom, from top to bottom. */

import { type Connection, PARTIES, type Party } from '../connection.js'
import { COLOURS, escaped, type Figure } from './drawing.js'

const ROW = 30
const TOP = 64
const COLUMN = 112
const NAMES: Readonly<Record<Party, readonly [string, string]>> = {
  wireguardA: ['WireGuard', 'of A'],
  tunnelboreA: ['Tunnelbore', 'of A'],
  gatewayA: ['gateway', 'of A'],
  mesh: ['mesh', 'server'],
  gatewayB: ['gateway', 'of B'],
  tunnelboreB: ['Tunnelbore', 'of B'],
  wireguardB: ['WireGuard', 'of B'],
}

export function sequenceFigure({ ends: [a, b], steps, answeredMs }: Connection): Figure {
  const parties = PARTIES.filter((party) => {
    if (party === 'gatewayA') return a.gateway !== undefined
    return party !== 'gatewayB' || b.gateway !== undefined
  })
  const width = COLUMN * parties.length
  const height = TOP + ROW * (steps.length + 1)
  const x = (party: Party): number => COLUMN * (parties.indexOf(party) + 0.5)
  const columns = parties.map((party) => {
    const [first, second] = NAMES[party]
    return `<text x="${x(party)}" y="18">${first}</text><text x="${x(party)}" y="34">${second}</text><line x1="${x(party)}" x2="${x(party)}" y1="44" y2="${height}" stroke="currentColor" stroke-opacity="0.25"/>`
  })
  const arrows = steps.map(({ atMs, from, to, what, tookMs }, index) => {
    const y = TOP + ROW * index + 14
    const [left, right] = [x(from), x(to)]
    const isLost = tookMs === undefined
    const colour = isLost ? COLOURS[1] : COLOURS[0]
    const towards = right >= left ? -1 : 1
    const end = right + towards * 3
    const head = isLost
      ? `<path d="M${end - 4},${y - 4}l8,8m0,-8l-8,8" stroke="${colour}" stroke-width="2"/>`
      : `<path d="M${end},${y}l${towards * 8},-4v8z" fill="${colour}"/>`
    // A label stands within the drawing, also at its edges.
    const middle = Math.min(Math.max((left + right) / 2, 130), width - 130)
    const label = `${atMs.toFixed(1)} ${what}${isLost ? ', not let in or lost' : ''}`
    return `<line x1="${left}" x2="${end}" y1="${y}" y2="${y}" stroke="${colour}" stroke-width="1.5" stroke-dasharray="${isLost ? '4 3' : 'none'}"/>${head}<text x="${middle}" y="${y - 4}">${escaped(label)}</text>`
  })
  const answered =
    answeredMs === undefined
      ? 'was not answered while it was watched'
      : `is answered after ${answeredMs.toFixed(1)} ms`
  const placed = ({ gateway }: Connection['ends'][0]): string =>
    gateway === undefined ? 'in the open' : `behind ${gateway}`
  return {
    title: 'One connection, from its first packet on',
    saying: `A (${placed(a)}) has a packet for B (${placed(b)}); it ${answered}. Times are in ms; an arrow that ends in a cross was lost, or not let in.`,
    svg: `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" fill="currentColor" text-anchor="middle" font-family="system-ui, sans-serif" font-size="11">${columns.join('')}${arrows.join('')}</svg>`,
  }
}
