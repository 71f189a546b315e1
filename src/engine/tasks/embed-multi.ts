import type { CallOptions, EmbedMultiResult, EmbedMultiTask } from '../../task.ts'
import { expectReadable } from '../expect-readable.ts'
import { finishVectors } from '../finish.ts'
import { readTokens } from '../kind-rows.ts'
import type { ServedModel } from '../served-model.ts'
import { factsOf } from '../task-rows.ts'
import { findKindPrompt, kindOf } from '../token-kind.ts'
import { planTokenVectors } from '../vector-plan.ts'

/** The vectors of tokens that stand for each text. Throws `request_too_large`, before anything runs, where they would be too many numbers. */
export async function embedMulti(
  served: ServedModel,
  task: EmbedMultiTask,
  options: CallOptions,
): Promise<EmbedMultiResult> {
  const { texts, prompt: choice } = task
  expectReadable(texts, 'text')
  const kind = kindOf(choice)
  const { prompt, ignoredPrompt } = findKindPrompt(served.model.spec, kind, choice)
  const plan = planTokenVectors(served, task)
  const result = await readTokens(served, { task, texts, kind, prompt, noun: 'text' }, options)
  const vectors = (result.tokens ?? []).map((tokens) => finishVectors(tokens, plan))
  return { ...factsOf(served, result, ignoredPrompt), dimensions: plan.dimensions, vectors }
}
