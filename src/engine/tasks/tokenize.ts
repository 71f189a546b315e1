import type { CallOptions, TokenizeResult, TokenizeTask } from '../../task.ts'
import { expectReadable } from '../expect-readable.ts'
import { findPrompt } from '../find-prompt.ts'
import type { ServedModel } from '../served-model.ts'

export async function tokenize(
  { model, info }: ServedModel,
  task: TokenizeTask,
  { signal }: CallOptions,
): Promise<TokenizeResult> {
  const { texts, addSpecialTokens } = task
  expectReadable(texts, 'text')
  const { prompt } = findPrompt(model.spec, task.prompt)
  const tokens = await model.tokenizer.tokenize(texts, { prompt, addSpecialTokens, signal })
  return { model: info.id, tokens }
}
