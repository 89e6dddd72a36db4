/** Colours of the terminal, as `wg show` uses them; or none. */

import type { WriteStream } from 'node:tty'

export type Colour = 'bold' | 'green' | 'yellow' | 'red' | 'cyan'

/** Puts a text in a colour. */
export type Paint = (text: string, ...colours: readonly Colour[]) => string

const CODES: Readonly<Record<Colour, number>> = { bold: 1, red: 31, green: 32, yellow: 33, cyan: 36 }

/** SGR sequences (ECMA-48 section 8.3.117) around the text. */
export const inColour: Paint = (text, ...colours) =>
  `\x1b[${colours.map((colour) => CODES[colour]).join(';')}m${text}\x1b[0m`

export const plain: Paint = (text) => text

/** Colours if the stream is a terminal that has them, and NO_COLOR is not set. */
export function paintFor(stream: Pick<WriteStream, 'isTTY' | 'hasColors'>): Paint {
  return stream.isTTY && stream.hasColors() ? inColour : plain
}
