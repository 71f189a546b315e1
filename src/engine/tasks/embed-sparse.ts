import { cancelled } from '../../errors.ts'
import type { FixedWeights } from '../../model/spec.ts'
import type { CallOptions, EmbedSparseResult, EmbedSparseTask, PromptChoice } from '../../task.ts'
import { expectReadable } from '../expect-readable.ts'
import { endOfChunk } from '../feed-rows.ts'
import { findPrompt } from '../find-prompt.ts'
import { findRoute } from '../find-route.ts'
import type { TokenizedRows } from '../../tokenize/tokenizer.ts'
import type { ServedModel } from '../served-model.ts'
import { factsOf, rowOptions, sizesOf } from '../task-rows.ts'
import { textSideOf } from '../text-side.ts'
import { lookUpWords, weighWords } from '../word-weights.ts'
import { ownWidth } from './embed-tokens.ts'

export async function embedSparse(
  served: ServedModel,
  task: EmbedSparseTask,
  options: CallOptions,
): Promise<EmbedSparseResult> {
  const { texts, truncate } = task
  expectReadable(texts, 'text')
  const { spec } = served.model
  const { tokenizer } = textSideOf(served)
  const head = spec.head.kind === 'sparse' ? spec.head : undefined
  if (head?.fixed !== undefined && isFixed(head.fixed, task.prompt)) {
    return lookUp(served, { task, weights: head.fixed.weights, maxActive: head.maxActive, options })
  }
  const { prompt, ignoredPrompt } = findPrompt(spec, task.prompt)
  const lexical = spec.head.kind === 'embedding' ? spec.head.lexical : undefined
  const rowIds: Int32Array[] = []
  const width = served.model.runner.limits.tokenWidth
  const weightAt = ownWidth(served)
  const result = await served.lane.submit({
    noun: 'text',
    sizes: sizesOf(texts, { prompt }),
    texts,
    wantsTokens: true,
    tokenizeFirst: truncate === 'none',
    // Their weights alone are kept: vectors of all tokens would be gigabytes.
    ...(lexical && {
      keepTokens: (index, tokens) =>
        weighWords({ ids: rowIds[index] ?? new Int32Array(), tokens, width, weightAt }, lexical),
    }),
    tokenize: async (from, to) => {
      const rowsAsked = rowOptions(served, task, { noun: 'text', firstIndex: from })
      const rows = await tokenizer.texts(texts.slice(from, to), prompt, rowsAsked)
      if (lexical !== undefined) rowIds.push(...splitRows(rows))
      return rows
    },
    options,
  })
  const pairs = (result.tokens ?? []).map((row) => keepGreatest(row, head?.maxActive))
  return { ...factsOf(served, result, ignoredPrompt), pairs }
}

function splitRows({ ids, bounds }: TokenizedRows): Int32Array[] {
  return Array.from({ length: bounds.length - 1 }, (_, b) => ids.slice(bounds[b], bounds[b + 1]))
}

/** Whether a text goes the way of those with fixed weights: chosen among two as among a dense model's routes. */
function isFixed({ tasks, otherTasks, isDefault }: FixedWeights, choice: PromptChoice | undefined): boolean {
  const fixed = { tasks }
  const routes = isDefault ? [fixed, { tasks: otherTasks }] : [{ tasks: otherTasks }, fixed]
  return routes[findRoute(routes, choice)] === fixed
}

interface LookUp {
  readonly task: EmbedSparseTask
  /** [V] */
  readonly weights: Float32Array
  /** Of the model's head. */
  readonly maxActive: number | undefined
  readonly options: CallOptions
}

/** The fixed weight of every token that a text holds, whatever their number and order: nothing waits for the device. */
async function lookUp(
  served: ServedModel,
  { task, weights, maxActive, options }: LookUp,
): Promise<EmbedSparseResult> {
  const { spec } = served.model
  const { tokenizer } = textSideOf(served)
  const { texts } = task
  const startMs = performance.now()
  const { prompt, ignoredPrompt } = findPrompt(spec, task.prompt)
  const sizes = sizesOf(texts, { prompt })
  const pairs: Float32Array[] = []
  let textTokens = 0
  let truncatedItems = 0
  for (let from = 0; from < texts.length; from = pairs.length) {
    if (options.signal?.aborted) throw cancelled()
    const rowsAsked = { ...rowOptions(served, task, { noun: 'text', firstIndex: from }), isBare: true }
    const rows = await tokenizer.texts(texts.slice(from, endOfChunk(sizes, from)), prompt, rowsAsked)
    textTokens += rows.textTokens
    truncatedItems += rows.truncatedRows
    for (const ids of splitRows(rows)) pairs.push(keepGreatest(lookUpWords(ids, weights), maxActive))
    options.onProgress?.(pairs.length, texts.length)
  }
  const timing = { tokenizeMs: performance.now() - startMs, queueMs: 0, runMs: 0 }
  return { ...factsOf(served, { textTokens, truncatedItems, timing }, ignoredPrompt), pairs }
}

/** Those of the greatest weights, whatever their signs, in the order that they had. */
export function keepGreatest(pairs: Float32Array, count = Infinity): Float32Array {
  if (pairs.length / 2 <= count) return pairs
  const weightOf = (place: number) => Math.abs(pairs[2 * place + 1] as number)
  const places = Array.from({ length: pairs.length / 2 }, (_, place) => place)
  const kept = places.sort((a, b) => weightOf(b) - weightOf(a) || a - b).slice(0, count)
  return Float32Array.from(
    kept.sort((a, b) => a - b).flatMap((place) => [...pairs.subarray(2 * place, 2 * place + 2)]),
  )
}
