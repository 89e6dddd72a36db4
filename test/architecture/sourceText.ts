/**
 * A TypeScript source as the rules read it: its code with everything that only looks like code blanked out, and what it
 * imports. TypeScript's own parser has no interface to programs any more, and words and imports are all that is asked.
 */

export interface SourceText {
  /**
   * The source, character for character, but for comments, the inside of strings and of templates, and regular
   * expressions, which are spaces. Line ends stay.
   */
  readonly code: string
  /** In the order of the source, type-only and dynamic ones included. */
  readonly imports: readonly Import[]
}

export interface Import {
  /** What is imported; undefined where that is computed. */
  readonly specifier: string | undefined
  /** What stands in braces. */
  readonly names: readonly ImportedName[]
  readonly line: number
}

/** `{ exported as local }`; both are the same where it has no `as`. */
export interface ImportedName {
  readonly exported: string
  readonly local: string
}

const TOKEN = new RegExp(
  [
    /(?<comment>\/\/[^\n]*|\/\*[\s\S]*?\*\/)/,
    /(?<string>'(?:[^'\\\n]|\\[\s\S])*'|"(?:[^"\\\n]|\\[\s\S])*")/,
    /(?<word>[\w$]+)/,
    /(?<space>\s+)/,
    /(?<mark>[\s\S])/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'y',
)
const REGULAR_EXPRESSION = /\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y
/** From a backtick, or from the brace that ends an expression, to the next expression or the end. */
const TEMPLATE_TEXT = /[`}](?:[^`\\$]|\\[\s\S]|\$(?!\{))*(?:`|\$\{)/y

/** After these words a slash begins a regular expression; after any other it divides. */
const BEFORE_OPERAND = /^(?:return|typeof|case|in|of|delete|void|throw|new|else|do|instanceof|yield|await)$/

export function readSource(text: string): SourceText {
  const { code, strings } = blank(text)
  return { code, imports: findImports(code, strings) }
}

/** The line, from 1, of a position. */
export function lineAt(text: string, position: number): number {
  return text.slice(0, position).split('\n').length
}

function blank(text: string): { readonly code: string; readonly strings: ReadonlyMap<number, string> } {
  const strings = new Map<number, string>()
  /** For each template that is open, the braces open around its expression. */
  const templates: number[] = []
  let braces = 0
  let previous = ''
  let code = ''
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = code.length
    return pattern.exec(text)
  }
  const takeTemplateText = (): void => {
    const taken = take(TEMPLATE_TEXT)?.[0] ?? text.slice(code.length)
    code += blankInside(taken)
    previous = taken.slice(-1)
    if (previous === '{') templates.push(braces)
  }
  while (code.length < text.length) {
    const { comment, string, word, space, mark } = take(TOKEN)?.groups ?? {}
    if (comment !== undefined) code += spaces(comment)
    else if (space !== undefined) code += space
    else if (string !== undefined) {
      strings.set(code.length, string.slice(1, -1))
      code += blankInside(string)
      previous = "'"
    } else if (mark === '`') takeTemplateText()
    else if (mark === '}' && templates.at(-1) === braces) {
      templates.pop()
      takeTemplateText()
    } else {
      const expression = mark === '/' && !endsOperand(previous) ? take(REGULAR_EXPRESSION)?.[0] : undefined
      if (mark === '{') braces++
      if (mark === '}') braces--
      code += expression === undefined ? (word ?? mark ?? '') : spaces(expression)
      previous = expression === undefined ? (word ?? mark ?? '') : "'"
    }
  }
  return { code, strings }
}

function endsOperand(token: string): boolean {
  return /^[\w$)\]}'`]/.test(token) && !BEFORE_OPERAND.test(token)
}

/** `'abc'` as `'   '`. */
function blankInside(quoted: string): string {
  return quoted.slice(0, 1) + spaces(quoted.slice(1, -1)) + quoted.slice(-1)
}

function spaces(text: string): string {
  return text.replace(/[^\n]/g, ' ')
}

/** `from '…'`, `import '…'`, `import('…')`; the names are those of `{ a, type b as c } from '…'`. */
const IMPORT = /(?:\{(?<names>[^{}]*)\}\s*)?\bfrom\s*(?=['"])|\bimport\s*(?=['"])|\bimport\s*\(\s*/g
const NAME = /(?:\btype\s+)?([\w$]+)(?:\s+as\s+([\w$]+))?/g

function findImports(code: string, strings: ReadonlyMap<number, string>): readonly Import[] {
  return [...code.matchAll(IMPORT)].map((match) => {
    const end = match.index + match[0].length
    const { names = '' } = match.groups ?? {}
    return {
      specifier: strings.get(end),
      names: [...names.matchAll(NAME)].map(([, exported = '', local = exported]) => ({ exported, local })),
      line: lineAt(code, end),
    }
  })
}
