/** Puts what the machine says of its tests in order: by file, and each test by its full name. */

import type { FileEnd, TestResult } from './resultLines.js'

export interface FileReport extends FileEnd {
  /** Those that are no suites, with the names of their suites before their own. */
  readonly tests: readonly TestResult[]
}

export class ResultCollector {
  readonly #files: FileReport[] = []
  /** Of the file that runs. */
  #tests: TestResult[] = []

  /** The files that have ended. */
  get files(): readonly FileReport[] {
    return this.#files
  }

  take(result: TestResult | FileEnd): void {
    if (result.kind === 'file') {
      this.#files.push({ ...result, tests: this.#tests })
      this.#tests = []
    } else if (result.isSuite) {
      // A suite ends after all that is in it, and what was before it stands no deeper.
      this.#tests = this.#tests.map((test) =>
        test.nesting > result.nesting
          ? { ...test, name: `${result.name}: ${test.name}`, nesting: result.nesting }
          : test,
      )
    } else this.#tests.push(result)
  }
}
