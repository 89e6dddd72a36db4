/**
 * A choice that is not drawn: always the first of some values, at the cost of no randomness. It takes the others where
 * they are read, and shrinks them to the first.
 *
 * So what cases can say grows, and the seeds of before keep their cases.
 */

import fc from 'fast-check'

export class Spared<Value> extends fc.Arbitrary<Value> {
  readonly #first: Value
  readonly #others: readonly Value[]

  constructor(first: Value, others: readonly Value[]) {
    super()
    this.#first = first
    this.#others = others
  }

  override generate(): fc.Value<Value> {
    return new fc.Value(this.#first, undefined)
  }

  override canShrinkWithoutContext(value: unknown): value is Value {
    return [this.#first, ...this.#others].some((known) => Object.is(known, value))
  }

  override shrink(value: Value): fc.Stream<fc.Value<Value>> {
    return Object.is(value, this.#first)
      ? fc.Stream.nil()
      : fc.Stream.of(new fc.Value(this.#first, undefined))
  }
}
