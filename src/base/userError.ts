/** Failures that are the user's to mend. They are told in one line, without a stack trace. */

/** What the process ends with: 1 failed, 2 wrong use. */
export type FailureCode = 1 | 2

/** An expected failure. The message is one line that says what is wrong and what mends it. */
export class UserError extends Error {
  override readonly name: string = 'UserError'
  readonly exitCode: FailureCode

  constructor(message: string, exitCode: FailureCode = 1) {
    super(message)
    this.exitCode = exitCode
  }
}

/**
 * What the system says went wrong, for the middle of a sentence: `permission denied` where Node says
 * `EACCES: permission denied, mkdir '/run/tunnelbore'`. Any other error gives its message, on one line.
 */
export function causeOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  const system = /^E[A-Z0-9]+: ([^,\n]+)/.exec(message)
  return system?.[1] ?? message.replace(/\s+/g, ' ').trim()
}

/** The `code` of a system error (`ENOENT`); undefined where there is none. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}
