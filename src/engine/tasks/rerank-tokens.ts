import { cancelled } from '../../errors.ts'
import type { TokenRules } from '../../model/spec.ts'
import type { CallOptions, RerankResult, RerankTask } from '../../task.ts'
import { endOfChunk } from '../feed-rows.ts'
import { spaced } from '../find-pair-prompt.ts'
import { KindRows, readTokens } from '../kind-rows.ts'
import { MaxSim } from '../max-sim.ts'
import { ScoreLine } from '../score-line.ts'
import type { ServedModel } from '../served-model.ts'
import { factsOf, sizesOf } from '../task-rows.ts'
import { findKindPrompt, multiWidth } from '../token-kind.ts'

export interface TokenRerank {
  readonly task: RerankTask
  /** One for all documents, or one for each. */
  readonly queries: readonly string[]
  readonly rules: TokenRules
}

/**
 * Numbers of token vectors that are on their way at most, 64 MB; more where batches of the device are large. What is tokenized
 * at a time comes on top.
 */
const LEAST_HELD = 16_777_216
const HELD_BATCHES = 3

/** What of a row is kept once its vectors wait to be scored. */
const NOTHING = new Float32Array()

/**
 * Scores documents by the vectors of their tokens. Each query runs once; of the documents only what waits to be scored is held,
 * and when that is much, no more of them are read.
 */
export async function rerankTokens(
  served: ServedModel,
  asked: TokenRerank,
  { onProgress, ...options }: CallOptions,
): Promise<RerankResult> {
  const startMs = performance.now()
  const { queries, ignoredPrompt, counted } = await readQueries(served, asked, options)
  const { withinMs } = options
  const leftMs = withinMs && Math.max(0, withinMs - (performance.now() - startMs))
  const documentOptions = { ...options, onProgress, withinMs: leftMs }
  const { scores, ...own } = await scoreDocuments(served, { task: asked.task, queries }, documentOptions)
  return { ...factsOf(served, joinResults(counted, own.counted), ignoredPrompt), scores, logits: scores }
}

async function readQueries(
  served: ServedModel,
  { task, queries, rules }: TokenRerank,
  options: CallOptions,
): Promise<{ queries: MaxSim[]; ignoredPrompt: string | undefined; counted: Counted }> {
  const { prompt, ignoredPrompt } = findQueryPrompt(served, task)
  const side = { name: 'query', maxTokens: task.maxQueryTokens }
  const texts = { task, texts: queries, kind: 'query', prompt, noun: 'query', side } as const
  const { tokens = [], ...counted } = await readTokens(served, texts, options)
  const width = multiWidth(served)
  return {
    queries: tokens.map((vectors) => new MaxSim(vectors, width, rules.similarity)),
    ignoredPrompt,
    counted,
  }
}

interface Judged {
  readonly task: RerankTask
  /** One for all documents, or one for each. */
  readonly queries: readonly MaxSim[]
}

/** Whatever ends it, nothing goes on being scored. */
async function scoreDocuments(
  served: ServedModel,
  { task, queries }: Judged,
  options: CallOptions,
): Promise<{ scores: Float32Array; counted: Counted }> {
  const { documents, truncate } = task
  const rows = documentRows(served, task)
  const sizes = sizesOf(documents)
  const line = openLine(served, rows.width, options.signal)
  const scores = new Float32Array(documents.length)
  try {
    const counted = await served.lane.submit({
      noun: 'document',
      sizes,
      texts: documents,
      wantsTokens: true,
      // Rows that all wait ready would all run, whatever is held.
      tokenizeFirst: false,
      keepTokens: (index, tokens) => {
        const query = queries[queries.length === 1 ? 0 : index] as MaxSim
        const onScore = (score: number) => {
          scores[index] = score
        }
        const numbers = rows.tokensOf(index) * rows.width
        line.add({ query, vectors: rows.keep(index, tokens), numbers, onScore })
        return NOTHING
      },
      tokenize: async (from, to) => {
        if (from === 0 && truncate === 'none') await expectAllFit(rows, sizes, options)
        await line.room()
        const made = await rows.make(from, to)
        line.announce(made.ids.length * rows.width)
        return made
      },
      options,
    })
    await line.end()
    return { scores, counted }
  } finally {
    line.close()
  }
}

function documentRows(served: ServedModel, task: RerankTask): KindRows {
  return new KindRows(served, {
    task,
    texts: task.documents,
    kind: 'document',
    prompt: findKindPrompt(served.model.spec, 'document', undefined).prompt,
    noun: 'document',
    side: { name: 'document', maxTokens: task.maxDocumentTokens },
  })
}

function openLine({ lane, scoreTurns: turns }: ServedModel, width: number, signal: CallOptions['signal']) {
  const maxNumbers = Math.max(LEAST_HELD, HELD_BATCHES * lane.maxBatchTokens * width)
  return new ScoreLine({ maxNumbers, turns, signal })
}

/** Reads all documents, once there is room for them, before the first one runs. Throws `text_too_long`. */
async function expectAllFit(
  rows: KindRows,
  sizes: readonly number[],
  { signal }: CallOptions,
): Promise<void> {
  for (let from = 0; from < sizes.length;) {
    if (signal?.aborted) throw cancelled()
    const to = endOfChunk(sizes, from)
    await rows.make(from, to)
    from = to
  }
}

/** An instruction stands behind the query's own prompt, which begins with what marks a query. */
function findQueryPrompt({ model: { spec } }: ServedModel, { prompt: choice, instruction }: RerankTask) {
  const found = findKindPrompt(spec, 'query', instruction === undefined ? choice : undefined)
  if (instruction === undefined) return found
  return { ...found, prompt: { ...found.prompt, text: found.prompt.text + spaced(instruction) } }
}

type Counted = Parameters<typeof factsOf>[1]

function joinResults(one: Counted, other: Counted): Counted {
  const { tokenizeMs, queueMs, runMs } = one.timing
  return {
    textTokens: one.textTokens + other.textTokens,
    truncatedItems: one.truncatedItems + other.truncatedItems,
    timing: {
      tokenizeMs: tokenizeMs + other.timing.tokenizeMs,
      queueMs: queueMs + other.timing.queueMs,
      runMs: runMs + other.timing.runMs,
    },
  }
}
