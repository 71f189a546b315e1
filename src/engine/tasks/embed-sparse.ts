import type { FixedWeights } from '../../model/spec.ts'
import type { CallOptions, EmbedSparseResult, EmbedSparseTask, PromptChoice } from '../../task.ts'
import { expectReadable } from '../expect-readable.ts'
import { findPrompt, synonymsOf } from '../find-prompt.ts'
import type { TokenizedRows } from '../../tokenize/tokenizer.ts'
import type { ServedModel } from '../served-model.ts'
import { factsOf, rowOptions, sizesOf } from '../task-rows.ts'
import { weighWords } from '../word-weights.ts'

export async function embedSparse(
  served: ServedModel,
  task: EmbedSparseTask,
  options: CallOptions,
): Promise<EmbedSparseResult> {
  const { texts, truncate } = task
  expectReadable(texts, 'text')
  const { spec, tokenizer } = served.model
  const head = spec.head.kind === 'sparse' ? spec.head : undefined
  if (head?.fixed !== undefined && isFixed(head.fixed, task.prompt)) {
    return lookUp(served, { task, weights: head.fixed.weights, options })
  }
  const { prompt, ignoredPrompt } = findPrompt(spec, task.prompt)
  const lexical = spec.head.kind === 'embedding' ? spec.head.lexical : undefined
  const rowIds: Int32Array[] = []
  const width = served.model.runner.limits.tokenWidth
  const result = await served.lane.submit({
    noun: 'text',
    sizes: sizesOf(texts, { prompt }),
    wantsTokens: true,
    tokenizeFirst: truncate === 'none',
    // Their weights alone are kept: vectors of all tokens would be gigabytes.
    ...(lexical && {
      keepTokens: (index, tokens) =>
        weighWords({ ids: rowIds[index] ?? new Int32Array(), tokens, width }, lexical),
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

/** What a text is for tells; the name of a prompt too. */
function isFixed({ tasks, isDefault }: FixedWeights, choice: PromptChoice | undefined): boolean {
  if (choice === undefined || 'text' in choice) return isDefault
  return [choice.name, ...synonymsOf(choice.name)].some((name) => tasks.includes(name))
}

interface LookUp {
  readonly task: EmbedSparseTask
  /** [V] */
  readonly weights: Float32Array
  readonly options: CallOptions
}

/** The fixed weight of every token that a text holds, whatever their number and order: nothing waits for the device. */
async function lookUp(served: ServedModel, { task, weights, options }: LookUp): Promise<EmbedSparseResult> {
  const { model, info } = served
  const startMs = performance.now()
  const { prompt, ignoredPrompt } = findPrompt(model.spec, task.prompt)
  const { signal } = options
  const tokens = await model.tokenizer.tokenize(task.texts, { prompt, addSpecialTokens: false, signal })
  const limit = Math.min(task.maxTokens ?? Infinity, info.maxTokens)
  let textTokens = 0
  let truncatedItems = 0
  const pairs = tokens.map((row, index) => {
    const kept = row.slice(0, limit)
    textTokens += kept.length
    if (kept.length < row.length) truncatedItems++
    options.onProgress?.(index + 1, tokens.length)
    const ids = [...new Set(kept.map(({ id }) => id))].sort((a, b) => a - b)
    return Float32Array.from(ids.flatMap((id) => (weights[id] ? [id, weights[id]] : [])))
  })
  const timing = { tokenizeMs: performance.now() - startMs, queueMs: 0, runMs: 0 }
  return { ...factsOf(served, { textTokens, truncatedItems, timing }, ignoredPrompt), pairs }
}

/** Those of the greatest weights, in the order that they had. */
export function keepGreatest(pairs: Float32Array, count = Infinity): Float32Array {
  if (pairs.length / 2 <= count) return pairs
  const weightOf = (place: number) => pairs[2 * place + 1] as number
  const places = Array.from({ length: pairs.length / 2 }, (_, place) => place)
  const kept = places.sort((a, b) => weightOf(b) - weightOf(a) || a - b).slice(0, count)
  return Float32Array.from(
    kept.sort((a, b) => a - b).flatMap((place) => [...pairs.subarray(2 * place, 2 * place + 2)]),
  )
}
