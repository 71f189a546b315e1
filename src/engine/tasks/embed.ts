import type { CallOptions, EmbedResult, EmbedTask } from '../../task.ts'
import { expectReadable } from '../expect-readable.ts'
import { findPrompt } from '../find-prompt.ts'
import { finishVectors } from '../finish.ts'
import type { ServedModel } from '../served-model.ts'
import { factsOf, rowOptions, sizesOf } from '../task-rows.ts'
import { textSideOf } from '../text-side.ts'
import { planVectors } from '../vector-plan.ts'
import { embedChunks } from './embed-chunks.ts'

export async function embed(
  served: ServedModel,
  task: EmbedTask,
  options: CallOptions,
): Promise<EmbedResult> {
  if (task.lateChunking === true) return embedChunks(served, task, options)
  const { texts, truncate } = task
  expectReadable(texts, 'text')
  const { spec } = served.model
  const { tokenizer } = textSideOf(served)
  const { prompt, ignoredPrompt, adapter } = findPrompt(spec, task.prompt)
  const plan = planVectors(served, task)
  const result = await served.lane.submit({
    noun: 'text',
    sizes: sizesOf(texts, { prompt }),
    texts,
    wantsTokens: false,
    adapter,
    tokenizeFirst: truncate === 'none',
    tokenize: (from, to) =>
      tokenizer.texts(
        texts.slice(from, to),
        prompt,
        rowOptions(served, task, { noun: 'text', firstIndex: from }),
      ),
    options,
  })
  const vectors = finishVectors(result.rows, plan)
  return { ...factsOf(served, result, ignoredPrompt), dimensions: plan.dimensions, vectors }
}
