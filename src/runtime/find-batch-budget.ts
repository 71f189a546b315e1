import { ServerError } from '../errors.ts'
import { PADDING_FACTOR } from './runner.ts'

export interface BudgetSearch {
  /** Tokens of the first batch tried; one longest row is tried in any case. */
  readonly start: number
  /** Tokens beyond which a batch gains nothing. */
  readonly ceiling: number
  /** Tokens that a row may have. */
  readonly maxRowTokens: number
  /** Rows that a batch may have. */
  readonly maxRows: number
}

export interface FoundBudget {
  /** Tokens that a batch may have. */
  readonly batchTokens: number
  /** Whether a row as long as the model takes was seen to run. */
  readonly longestRowFits: boolean
}

/** Of a batch that found no room, the share that is tried next: at most a quarter is given away, in few tries. */
const STEP = 3 / 4
/** Kept free where memory is what bounds the batch: other shapes leave other gaps in the arena. A guess; it was not measured. */
const MARGIN = 1 / 8
/** Tokens of a row where the longest is out of the question: what most models were trained with, and most texts have. */
const MIDDLING_TOKENS = 512
/** A model that cannot run as much as a sentence is of no use. */
const LEAST_TOKENS = 32

/**
 * Finds how many tokens a batch may have, by running batches of such sizes. The largest comes first: the arena grows by
 * doubling and gives nothing back, so that growing step by step would end with twice the memory. `run` takes the lengths of
 * a batch's rows and throws `out_of_memory`; thrown on where nothing fits, as is any other error.
 */
export async function findBatchBudget(
  run: (lengths: readonly number[]) => Promise<unknown>,
  search: BudgetSearch,
): Promise<FoundBudget> {
  const { start, maxRowTokens, maxRows } = search
  // More tokens than all rows can have never come together.
  const ceiling = Math.min(search.ceiling, maxRows * maxRowTokens)
  const first = Math.max(Math.min(start, ceiling), maxRowTokens)
  let longestRowFits = true
  for (let tokens = first; ; tokens = Math.floor(tokens * STEP)) {
    const failure = await tryRun(run, largestBatch(tokens, search))
    if (failure === undefined) {
      const kept = tokens === first ? tokens : Math.ceil(tokens * (1 - MARGIN))
      return { batchTokens: Math.min(ceiling, kept), longestRowFits }
    }
    const next = Math.floor(tokens * STEP)
    if (next < LEAST_TOKENS) throw failure
    // From here on batches are tried without it.
    if (tokens >= maxRowTokens && next < maxRowTokens) {
      longestRowFits = (await tryRun(run, [maxRowTokens])) === undefined
    }
  }
}

/** What was thrown for want of memory. */
async function tryRun(
  run: (lengths: readonly number[]) => Promise<unknown>,
  lengths: readonly number[],
): Promise<ServerError | undefined> {
  try {
    await run(lengths)
    return undefined
  } catch (error) {
    if (error instanceof ServerError && error.code === 'out_of_memory') return error
    throw error
  }
}

/**
 * Lengths of the rows of the batch of so many tokens that takes the most memory: one is the longest there is, the others so
 * short that a kernel that pads holds as many tokens more as padding may add.
 */
function largestBatch(tokens: number, { maxRowTokens, maxRows }: BudgetSearch): number[] {
  const paddedTokens = PADDING_FACTOR * tokens
  const atMost = tokens >= maxRowTokens ? maxRowTokens : Math.min(tokens, MIDDLING_TOKENS)
  const count = Math.min(maxRows, Math.ceil(paddedTokens / atMost))
  const longest = tokens >= maxRowTokens ? maxRowTokens : Math.min(tokens, Math.ceil(paddedTokens / count))
  if (count === 1) return [longest]
  const length = Math.max(1, Math.floor((tokens - longest) / (count - 1)))
  return [longest, ...Array<number>(count - 1).fill(length)]
}
