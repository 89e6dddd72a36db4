/** What the documents name must exist: files they link to, sources they mention, npm scripts they tell to run. */

import { posix } from 'node:path'

export interface Named {
  /** True for a file or folder, by its path from the repository's top. */
  readonly path: (path: string) => boolean
  /** True for a script of package.json. */
  readonly script: (name: string) => boolean
}

const LINK = /\]\(([^()\s]+)(?:\s+"[^"]*")?\)|\b(?:src|href)="([^"]+)"/g
/** A path from the top: not the end of a longer one, such as dist/src/cli.js. */
const MENTION = /(?<![\w./@-])(?:src|test|simulations|docs)\/[\w./@-]*/g
const SCRIPT = /\bnpm run (?:--\S+ )*([\w:-]+)/g

/** One line for each thing that the document at `path`, a Markdown file, names and that is not there. */
export function danglingReferences(path: string, text: string, exists: Named): readonly string[] {
  const links = [...text.matchAll(LINK)].flatMap(([, link = '', attribute = '']) => {
    const [target = ''] = (link + attribute).split('#')
    if (target === '' || /^[a-z][a-z+.-]*:/i.test(target)) return []
    return exists.path(posix.join(posix.dirname(path), target)) ? [] : [`${path}: links to ${target}`]
  })
  const mentions = [...text.matchAll(MENTION)].flatMap(({ 0: mention, index }) => {
    // `src/wire/*.ts` and `src/wire/<name>.ts` name a folder; a full stop may end a sentence.
    const isPattern = /^[*<{…]/.test(text.slice(index + mention.length))
    const target = isPattern ? mention.slice(0, mention.lastIndexOf('/')) : mention.replace(/\.+$/, '')
    return exists.path(target) ? [] : [`${path}: mentions ${target}`]
  })
  const scripts = [...text.matchAll(SCRIPT)].flatMap(([, script = '']) =>
    exists.script(script) ? [] : [`${path}: tells to run the script ${script}`],
  )
  return [...links, ...mentions, ...scripts]
}
