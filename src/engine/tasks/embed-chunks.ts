/** Late chunking: a document is read as a whole, so that each chunk's tokens know the others, and pooled chunk by chunk. */
import { ServerError } from '../../errors.ts'
import type { EmbeddingStep } from '../../model/spec.ts'
import type { CallOptions, EmbedResult, EmbedTask } from '../../task.ts'
import { expectReadable } from '../expect-readable.ts'
import { findPrompt } from '../find-prompt.ts'
import { finishVectors } from '../finish.ts'
import type { ServedModel } from '../served-model.ts'
import { factsOf, rowOptions } from '../task-rows.ts'
import { textSideOf } from '../text-side.ts'
import { planVectors } from '../vector-plan.ts'

/** Throws `invalid_request` where the model makes a vector of its tokens in any other way than by their average. */
export async function embedChunks(
  served: ServedModel,
  task: EmbedTask,
  options: CallOptions,
): Promise<EmbedResult> {
  const { texts } = task
  expectAverages(served)
  expectReadable(texts, 'text')
  const { spec, runner } = served.model
  const { tokenizer } = textSideOf(served)
  const { prompt, ignoredPrompt, adapter } = findPrompt(spec, task.prompt)
  const plan = planVectors(served, task)
  let bounds = new Int32Array()
  const { onProgress, ...others } = options
  const result = await served.lane.submit({
    noun: 'document',
    sizes: [texts.reduce((sum, text) => sum + text.length, prompt.text.length)],
    wantsTokens: true,
    adapter,
    tokenizeFirst: true,
    tokenize: async () => {
      const rows = await tokenizer.chunks(
        texts,
        prompt,
        rowOptions(served, task, { noun: 'text', firstIndex: 0 }),
      )
      bounds = rows.chunkBounds
      return rows
    },
    // One row, but to the client as many items as there are chunks.
    options: { ...others, onProgress: onProgress && (() => onProgress(texts.length, texts.length)) },
  })
  const [tokens = new Float32Array()] = result.tokens ?? []
  const rows = averageChunks({ tokens, bounds, width: runner.limits.tokenWidth, rowWidth: plan.rowWidth })
  return {
    ...factsOf(served, result, ignoredPrompt),
    dimensions: plan.dimensions,
    vectors: finishVectors(rows, plan),
  }
}

function expectAverages({ info, model }: ServedModel): void {
  const { head } = model.spec
  const steps = head.kind === 'embedding' ? head.steps.map(nameOf) : []
  const [first, second = 'normalize', ...others] = steps
  // What stands behind the vectors of their tokens is not looked for here.
  const isRouted =
    head.kind === 'embedding' && (head.routes ?? head.lexical ?? head.multiVector) !== undefined
  if (first === 'pooling with mean' && second === 'normalize' && others.length === 0 && !isRouted) return
  throw new ServerError(
    'invalid_request',
    `late chunking needs a model that averages its tokens and at most normalizes; ${info.id} has: ${steps.join(', ')}`,
  )
}

function nameOf(step: EmbeddingStep): string {
  return step.kind === 'pooling' ? `pooling with ${step.modes.join('+')}` : step.kind
}

export interface ChunkedTokens {
  /** [T, width] */
  readonly tokens: Float32Array
  /** The token at which each chunk begins, and the one before which the last ends: [N + 1]. No chunk is empty. */
  readonly bounds: Int32Array
  readonly width: number
  /** One more than `width` for a model that normalizes: rows then are as its graph makes them. */
  readonly rowWidth: number
}

/** One row for each chunk: the mean of its tokens; normalized, and followed by the norm it had, where rows are wider. */
export function averageChunks({ tokens, bounds, width, rowWidth }: ChunkedTokens): Float32Array {
  const count = bounds.length - 1
  const rows = new Float32Array(count * rowWidth)
  for (let chunk = 0; chunk < count; chunk++) {
    const mean = meanOf(tokens, width, bounds.subarray(chunk, chunk + 2))
    const norm = rowWidth > width ? normOf(mean) : 1
    const divisor = norm === 0 ? 1 : norm
    for (let d = 0; d < width; d++) rows[chunk * rowWidth + d] = (mean[d] as number) / divisor
    if (rowWidth > width) rows[chunk * rowWidth + width] = norm
  }
  return rows
}

/** In float64: a chunk may be thousands of tokens. */
function meanOf(tokens: Float32Array, width: number, [from = 0, to = 0]: Iterable<number> & Int32Array) {
  const mean = new Float64Array(width)
  for (let t = from; t < to; t++) {
    for (let d = 0; d < width; d++) mean[d] = (mean[d] as number) + (tokens[t * width + d] as number)
  }
  return mean.map((sum) => sum / (to - from))
}

function normOf(vector: Float64Array): number {
  return Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0))
}
