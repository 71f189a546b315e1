/** Bytes of an entry beside its key and its numbers: what Node 26 keeps for a map slot, a string and a typed array, rounded up. */
export const ENTRY_BYTES = 512

export interface CacheStats {
  readonly entries: number
  readonly bytes: number
}

/** Results of rows that ran, for all models: those not asked for longest make room for new ones. */
export class ResultCache {
  readonly #maxBytes: number
  /** The one not asked for longest comes first. */
  readonly #entries = new Map<string, Float32Array>()
  #bytes = 0

  constructor({ maxBytes }: { readonly maxBytes: number }) {
    this.#maxBytes = maxBytes
  }

  get stats(): CacheStats {
    return { entries: this.#entries.size, bytes: this.#bytes }
  }

  /** The result of a row with this key, not to be written to. `model` tells apart rows that look alike. */
  find(model: string, rowKey: string): Float32Array | undefined {
    const key = join(model, rowKey)
    const values = this.#entries.get(key)
    if (values === undefined) return undefined
    this.#entries.delete(key)
    this.#entries.set(key, values)
    return values
  }

  /** Keeps a copy; nothing where it alone would pass the limit. */
  keep(model: string, rowKey: string, values: Float32Array): void {
    const key = join(model, rowKey)
    const bytes = sizeOf(key, values)
    if (bytes > this.#maxBytes) return
    this.#drop(key)
    // Of its own: a view would keep its whole batch alive.
    this.#entries.set(key, values.slice())
    this.#bytes += bytes
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#maxBytes) return
      this.#drop(oldest)
    }
  }

  #drop(key: string): void {
    const values = this.#entries.get(key)
    if (values === undefined) return
    this.#entries.delete(key)
    this.#bytes -= sizeOf(key, values)
  }
}

/** Row keys are of one length: no two pairs are joined alike. */
function join(model: string, rowKey: string): string {
  return model + rowKey
}

function sizeOf(key: string, values: Float32Array): number {
  return key.length + values.byteLength + ENTRY_BYTES
}
