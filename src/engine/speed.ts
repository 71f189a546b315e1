export interface RanBatch {
  /** Computed: of its rows, whatever number of items each answered. */
  readonly tokens: number
  readonly startMs: number
  readonly endMs: number
  /** Whether others were left waiting when it was taken: only such a batch is as full as batches of a queue are. */
  readonly leftOthers: boolean
}

interface Sample {
  readonly tokens: number
  readonly ms: number
}

const SAMPLES = 16

/**
 * How fast the devices compute what waits, from the last batches that were taken of it. They may run several at once. The longest
 * of them does not count: a clock that jumped, or a device that stood still once, must not stop all admission.
 */
export class Speed {
  readonly #samples: Sample[] = []
  #lastEndMs = -Infinity

  /** Undefined until batches have told. */
  get tokensPerMs(): number | undefined {
    const { tokens, ms } = this.#sum()
    return ms > 0 ? tokens / ms : undefined
  }

  /** From one batch of a full queue to the next; 0 until batches have told. */
  get batchMs(): number {
    return this.#sum().ms / Math.max(1, this.#samples.length - 1)
  }

  note({ tokens, startMs, endMs, leftOthers }: RanBatch): void {
    // Not what it took: beside others it took as long as they did, and the queue moved on meanwhile.
    const ms = endMs - Math.max(startMs, this.#lastEndMs)
    this.#lastEndMs = endMs
    if (!leftOthers || ms < 0) return
    this.#samples.push({ tokens, ms })
    if (this.#samples.length > SAMPLES) this.#samples.shift()
  }

  #sum(): Sample {
    let [tokens, ms] = [0, 0]
    let longest: Sample = { tokens: 0, ms: 0 }
    for (const sample of this.#samples) {
      tokens += sample.tokens
      ms += sample.ms
      if (sample.ms > longest.ms) longest = sample
    }
    return { tokens: tokens - longest.tokens, ms: ms - longest.ms }
  }
}
