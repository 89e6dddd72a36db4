/** Puts what a machine says of the tests of its file in order, and each under its full name. */

import type { FileEnd, TestResult } from './resultLines.js'

export class ResultCollector {
  #tests: TestResult[] = []
  #exitCode: number | undefined

  /** Those that have ended and are no suites, with the names of their suites before their own. */
  get tests(): readonly TestResult[] {
    return this.#tests
  }

  /** Of the file; undefined as long as it has not ended. */
  get exitCode(): number | undefined {
    return this.#exitCode
  }

  take(result: TestResult | FileEnd): void {
    if (result.kind === 'file') this.#exitCode = result.exitCode
    else if (result.isSuite) {
      // A suite ends after all that is in it, and what was before it stands no deeper.
      this.#tests = this.#tests.map((test) =>
        test.nesting > result.nesting
          ? { ...test, name: `${result.name}: ${test.name}`, nesting: result.nesting }
          : test,
      )
    } else this.#tests.push(result)
  }
}
