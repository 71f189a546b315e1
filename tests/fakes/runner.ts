/** A device driven by hand: a batch waits until the test finishes it, and what it answers follows from its ids. */
import { setImmediate } from 'node:timers/promises'
import { ServerError } from '../../src/errors.ts'
import type { RaggedBatch, RunResult, Runner, RunnerLimits, RunnerTowers } from '../../src/runtime/runner.ts'
import type { Modality } from '../../src/task.ts'

export interface FakeRunnerOptions {
  readonly depth?: number
  readonly limits?: Partial<RunnerLimits>
  readonly towers?: RunnerTowers
  /** Every batch is finished as soon as it comes. */
  readonly automatic?: boolean
  /** What the device computes of a row; `echo` unless told. */
  readonly compute?: (ids: readonly number[], width: number) => readonly number[]
  /** The vector of a token; its id and its index unless told. */
  readonly computeToken?: (id: number, index: number, width: number) => readonly number[]
}

interface HeldBatch {
  readonly batch: RaggedBatch
  readonly rows: readonly (readonly number[])[]
  readonly resolve: (result: RunResult) => void
  readonly reject: (error: unknown) => void
}

export class FakeRunner implements Runner {
  readonly limits: RunnerLimits
  readonly towers: RunnerTowers
  readonly depth: number
  readonly provider = 'fake'
  readonly dtype = 'fp32'
  readonly batchTokens = 512
  /** A batch that holds one of these ids is refused, or kills the thread, or has a NaN in the row that holds it. */
  readonly refusedIds = new Set<number>()
  readonly lethalIds = new Set<number>()
  readonly nonFiniteIds = new Set<number>()
  /** A batch that holds one of these ids has a NaN in every row. */
  readonly spoilingIds = new Set<number>()
  /** Padded tokens of a batch that fit into the device's memory. */
  paddedRoom = Infinity
  /** All batches so far, as the ids of their rows; of media the first value of a row stands for each of its tokens. */
  readonly batches: (readonly (readonly number[])[])[] = []
  /** Of all batches so far. */
  readonly modalities: Modality[] = []
  healthy = true
  closeCount = 0
  readonly #held: HeldBatch[] = []
  readonly #automatic: boolean
  readonly #compute: (ids: readonly number[], width: number) => readonly number[]
  readonly #computeToken: (id: number, index: number, width: number) => readonly number[]

  constructor(options: FakeRunnerOptions = {}) {
    const { depth = 1, limits, automatic = false, compute = echo, computeToken = echoToken } = options
    const outputWidth = limits?.outputWidth ?? 3
    this.depth = depth
    this.towers = options.towers ?? {}
    this.limits = {
      maxTokens: 512,
      vocabularySize: 1_000_000,
      vectorWidth: outputWidth,
      tokenWidth: 2,
      ...limits,
      outputWidth,
    }
    this.#automatic = automatic
    this.#compute = compute
    this.#computeToken = computeToken
  }

  /** Batches under way. */
  get heldCount(): number {
    return this.#held.length
  }

  /** Tokens of the batch that `finish` would finish. */
  get oldestTokens(): number {
    return this.#held[0]?.batch.ids.length ?? 0
  }

  readonly run = (given: RaggedBatch): Promise<RunResult> => {
    // As a thread takes over what is transferred to it.
    const { ids, bounds, typeStarts, unpooledTokens, adapters } = given
    const arrays = [ids, bounds, typeStarts, unpooledTokens, adapters]
    const buffers = arrays.map((array) => array.buffer)
    const batch = structuredClone(given, { transfer: buffers })
    const rows = rowsOf(batch)
    this.batches.push(rows)
    this.modalities.push(batch.media?.modality ?? 'text')
    const { promise, resolve, reject } = Promise.withResolvers<RunResult>()
    this.#held.push({ batch, rows, resolve, reject })
    if (this.#automatic) this.finish()
    return promise
  }

  readonly close = async (): Promise<void> => {
    this.closeCount++
  }

  /** Ends the oldest batch as its ids demand; it takes a millisecond a token. */
  finish(): void {
    const held = this.#held[0]
    if (held === undefined) throw new Error('no batch is under way')
    if (holds(held, this.lethalIds)) return this.die()
    this.#held.shift()
    if (holds(held, this.refusedIds)) return held.reject(new ServerError('inference_failed', 'refused'))
    if (paddedTokensOf(held.rows) > this.paddedRoom) {
      return held.reject(new ServerError('out_of_memory', 'no memory'))
    }
    held.resolve(this.#answer(held))
  }

  /** Ends the oldest batch with an error. */
  fail(error: unknown): void {
    this.#held.shift()?.reject(error)
  }

  /** Ends the thread, and every batch under way with it. */
  die(): void {
    for (const { reject } of this.#held.splice(0)) reject(new ServerError('thread_died', 'the thread died'))
  }

  /** Finishes batches until no more come. */
  async finishAll(): Promise<void> {
    await settle()
    while (this.heldCount > 0) {
      this.finish()
      await settle()
    }
  }

  #answer(held: HeldBatch): RunResult {
    const { batch, rows } = held
    const spoilt = holds(held, this.spoilingIds)
    const width = this.limits.outputWidth
    const values = new Float32Array(rows.length * width)
    const nonFiniteRows: number[] = []
    for (const [b, ids] of rows.entries()) {
      values.set(this.#compute(ids, width), b * width)
      if (!spoilt && !ids.some((id) => this.nonFiniteIds.has(id))) continue
      values[b * width] = NaN
      nonFiniteRows.push(b)
    }
    const runMs = batch.ids.length
    return { rows: values, nonFiniteRows, runMs, ...(batch.wantsTokens && { tokens: this.#tokensOf(rows) }) }
  }

  #tokensOf(rows: readonly (readonly number[])[]): Float32Array<ArrayBuffer> {
    const width = this.limits.tokenWidth
    return Float32Array.from(
      rows.flatMap((ids) => ids.flatMap((id, index) => this.#computeToken(id, index, width))),
    )
  }
}

/** First id, length, last id, then zeros. */
export function echo(ids: readonly number[], width: number): number[] {
  return Array.from({ length: width }, (_, index) => [ids[0], ids.length, ids.at(-1)][index] ?? 0)
}

/** The id, the index in the row, then zeros. */
export function echoToken(id: number, index: number, width: number): number[] {
  return Array.from({ length: width }, (_, place) => [id, index][place] ?? 0)
}

/** Lets everything that is already on its way arrive. */
export async function settle(): Promise<void> {
  await setImmediate()
}

export function paddedTokensOf(rows: readonly (readonly number[])[]): number {
  return rows.length * Math.max(...rows.map((ids) => ids.length))
}

function rowsOf({ ids, bounds, media }: RaggedBatch): number[][] {
  return Array.from({ length: bounds.length - 1 }, (_, b) => {
    const row = [...ids.subarray(bounds[b], bounds[b + 1])]
    const first = media?.values[b]?.[0]
    return first === undefined ? row : row.map(() => first)
  })
}

function holds({ rows }: HeldBatch, ids: ReadonlySet<number>): boolean {
  return rows.some((row) => row.some((id) => ids.has(id)))
}
