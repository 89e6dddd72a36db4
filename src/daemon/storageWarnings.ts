/** What a status says where nothing can be written to the state directory: one line, with what mends it. */

/** Something that is kept there. `failure`: why it cannot be written; undefined where it can. */
interface Kept {
  readonly failure: string | undefined
}

export function storageWarnings(stateDir: string, ...kept: readonly Kept[]): readonly string[] {
  const [cause] = kept.flatMap(({ failure }) => failure ?? [])
  if (cause === undefined) return []
  return [
    `${stateDir} cannot be written (${cause}), so nothing new is remembered; free space there, let it be written, or give another --state-dir`,
  ]
}
