/** A model on several devices, as one: whoever has the least to do gets the next batch. */
import type { RaggedBatch, RunResult, Runner } from './runner.ts'

interface Slot {
  readonly runner: Runner
  /** Batches and tokens under way. */
  batches: number
  tokens: number
}

interface Waiting {
  readonly tokens: number
  readonly resolve: (slot: Slot) => void
}

/**
 * The runners of one model, loaded for the same target, as one `Runner`. A batch goes to the healthy one with the fewest tokens under way that holds fewer
 * batches than its depth, else it waits: so one that is being set up again does not collect what others could run. Where
 * none is healthy they are all asked, for a call may bring one back. What a runner throws is thrown on.
 */
export function balance(runners: readonly [Runner, ...Runner[]]): Runner {
  return runners.length === 1 ? runners[0] : new BalancedRunner(runners)
}

class BalancedRunner implements Runner {
  readonly limits: Runner['limits']
  readonly towers: Runner['towers']
  readonly provider: string
  readonly dtype: string
  readonly batchTokens: number
  readonly sharedTokens: number | undefined
  readonly #slots: readonly Slot[]
  readonly #waiting: Waiting[] = []

  constructor(runners: readonly [Runner, ...Runner[]]) {
    const [{ limits, towers, provider, dtype }] = runners
    this.limits = limits
    this.towers = towers
    this.provider = provider
    this.dtype = dtype
    this.batchTokens = Math.min(...runners.map(({ batchTokens }) => batchTokens))
    this.sharedTokens = runners[0].sharedTokens
    this.#slots = runners.map((runner) => ({ runner, batches: 0, tokens: 0 }))
  }

  get depth(): number {
    return this.#usable.reduce((sum, { runner }) => sum + runner.depth, 0)
  }

  get healthy(): boolean {
    return this.#slots.some(({ runner }) => runner.healthy)
  }

  readonly run = async (batch: RaggedBatch): Promise<RunResult> => {
    // Counted before it runs: the runner takes the buffers over.
    const tokens = batch.ids.length
    const { promise, resolve } = Promise.withResolvers<Slot>()
    this.#waiting.push({ tokens, resolve })
    this.#dispatch()
    const slot = await promise
    try {
      return await slot.runner.run(batch)
    } finally {
      slot.batches--
      slot.tokens -= tokens
      this.#dispatch()
    }
  }

  readonly close = async (): Promise<void> => {
    await Promise.all(this.#slots.map(({ runner }) => runner.close()))
  }

  get #usable(): readonly Slot[] {
    const healthy = this.#slots.filter(({ runner }) => runner.healthy)
    return healthy.length > 0 ? healthy : this.#slots
  }

  /** In the order they came. Invariant: where one waits, every usable slot is full, so that one will end and call this. */
  #dispatch(): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      const slot = leastLoaded(this.#usable)
      if (slot === undefined) return
      this.#waiting.shift()
      slot.batches++
      slot.tokens += first.tokens
      first.resolve(slot)
    }
  }
}

/** The first of those with the fewest tokens. */
function leastLoaded(slots: readonly Slot[]): Slot | undefined {
  let least: Slot | undefined
  for (const slot of slots) {
    if (slot.batches >= slot.runner.depth) continue
    if (least === undefined || slot.tokens < least.tokens) least = slot
  }
  return least
}
