import { firstAtLeast } from './first-at-least.ts'
import type { Row } from './row.ts'

/** Rows of one length. */
interface Line {
  /** In the order they came; those before `head`, and those removed, have left. */
  readonly rows: Row[]
  readonly removed: Set<Row>
  head: number
}

/** A request's waiting rows, found by length: rows of one length leave in the order they came. */
export class RowsByLength {
  readonly #lines = new Map<number, Line>()
  /** The lengths present, ascending. */
  readonly #lengths: number[] = []

  add(row: Row): void {
    const length = row.ids.length
    const line = this.#lines.get(length)
    if (line !== undefined) {
      line.rows.push(row)
      return
    }
    this.#lines.set(length, { rows: [row], removed: new Set(), head: 0 })
    this.#lengths.splice(firstAtLeast(this.#lengths, length), 0, length)
  }

  /** The first row of exactly this length. */
  take(length: number): Row | undefined {
    const line = this.#lines.get(length)
    if (line === undefined) return undefined
    let row = line.rows[line.head++]
    while (row !== undefined && line.removed.delete(row)) row = line.rows[line.head++]
    this.#dropIfEmpty(line, length)
    return row
  }

  /** Takes a row that waits here out of its turn. */
  remove(row: Row): void {
    const length = row.ids.length
    const line = this.#lines.get(length)
    if (line === undefined) return
    line.removed.add(row)
    this.#dropIfEmpty(line, length)
  }

  /** The row whose length is nearest to `target`, among those of at most `atMost` tokens. */
  takeNearest(target: number, atMost: number): Row | undefined {
    const index = firstAtLeast(this.#lengths, target)
    const above = this.#lengths[index]
    const below = this.#lengths[firstAtLeast(this.#lengths, Math.min(target, atMost + 1)) - 1]
    if (above === undefined || above > atMost) return below === undefined ? undefined : this.take(below)
    if (below === undefined || above - target <= target - below) return this.take(above)
    return this.take(below)
  }

  /** Invariant: a line has a row that can be taken. */
  #dropIfEmpty({ rows, removed, head }: Line, length: number): void {
    if (rows.length - head > removed.size) return
    this.#lines.delete(length)
    this.#lengths.splice(firstAtLeast(this.#lengths, length), 1)
  }
}
