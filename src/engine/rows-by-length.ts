import type { Row } from './row.ts'

/** A request's waiting rows, found by length: rows of one length leave in the order they came. */
export class RowsByLength {
  readonly #byLength = new Map<number, Row[]>()
  /** The lengths present, ascending. */
  readonly #lengths: number[] = []

  add(row: Row): void {
    const length = row.ids.length
    const rows = this.#byLength.get(length)
    if (rows !== undefined) {
      rows.push(row)
      return
    }
    this.#byLength.set(length, [row])
    this.#lengths.splice(this.#search(length), 0, length)
  }

  /** The first row of exactly this length. */
  take(length: number): Row | undefined {
    const rows = this.#byLength.get(length)
    const row = rows?.shift()
    if (rows?.length === 0) {
      this.#byLength.delete(length)
      this.#lengths.splice(this.#search(length), 1)
    }
    return row
  }

  /** The row whose length is nearest to `target`, among those of at most `atMost` tokens. */
  takeNearest(target: number, atMost: number): Row | undefined {
    const index = this.#search(target)
    const above = this.#lengths[index]
    const below = this.#lengths[this.#search(Math.min(target, atMost + 1)) - 1]
    if (above === undefined || above > atMost) return below === undefined ? undefined : this.take(below)
    if (below === undefined || above - target <= target - below) return this.take(above)
    return this.take(below)
  }

  /** Index of the first length that is not below `length`. */
  #search(length: number): number {
    let low = 0
    let high = this.#lengths.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#lengths[middle] as number) < length) low = middle + 1
      else high = middle
    }
    return low
  }
}
