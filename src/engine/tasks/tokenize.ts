import type { CallOptions, TokenizeResult, TokenizeTask } from '../../task.ts'
import { expectReadable } from '../expect-readable.ts'
import { findPrompt } from '../find-prompt.ts'
import type { ServedModel } from '../served-model.ts'
import { textSideOf } from '../text-side.ts'

export async function tokenize(
  served: ServedModel,
  task: TokenizeTask,
  { signal }: CallOptions,
): Promise<TokenizeResult> {
  const { texts, addSpecialTokens } = task
  expectReadable(texts, 'text')
  const { prompt } = findPrompt(served.model.spec, task.prompt)
  const tokens = await textSideOf(served).tokenizer.tokenize(texts, { prompt, addSpecialTokens, signal })
  return { model: served.info.id, tokens }
}
