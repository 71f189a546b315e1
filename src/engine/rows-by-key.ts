import type { PendingRequest } from './pending-request.ts'
import type { Row } from './row.ts'

/** The waiting rows of all requests, found by what the device would see of them. */
export class RowsByKey {
  readonly #rows = new Map<string, Row[]>()

  add(row: Row): void {
    const rows = this.#rows.get(row.key)
    if (rows === undefined) this.#rows.set(row.key, [row])
    else rows.push(row)
  }

  /** All rows of this key. */
  take(key: string): readonly Row[] {
    const rows = this.#rows.get(key) ?? []
    this.#rows.delete(key)
    return rows
  }

  /** Forgets a request's rows, `keys` being theirs. */
  remove(request: PendingRequest, keys: ReadonlySet<string>): void {
    for (const key of keys) {
      const left = this.take(key).filter((row) => row.request !== request)
      if (left.length > 0) this.#rows.set(key, left)
    }
  }
}
