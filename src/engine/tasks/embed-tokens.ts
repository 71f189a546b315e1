import type { CallOptions, EmbedTokensResult, EmbedTokensTask } from '../../task.ts'
import { expectReadable } from '../expect-readable.ts'
import { findPrompt } from '../find-prompt.ts'
import type { ServedModel } from '../served-model.ts'
import { factsOf, rowOptions, sizesOf } from '../task-rows.ts'
import { textSideOf } from '../text-side.ts'
import { expectTokenBudget } from '../token-budget.ts'
import { cutTokens } from '../word-weights.ts'
import { embedMulti } from './embed-multi.ts'

/** Throws `request_too_large`, before anything runs, where the vectors of all tokens would be too many numbers. */
export async function embedTokens(
  served: ServedModel,
  task: EmbedTokensTask,
  options: CallOptions,
): Promise<EmbedTokensResult> {
  const { texts } = task
  const { spec, runner } = served.model
  const { tokenizer } = textSideOf(served)
  if (spec.head.kind === 'multi_vector') {
    const { vectors, dimensions, ...facts } = await embedMulti(
      served,
      { ...task, kind: 'embed_multi' },
      options,
    )
    return { ...facts, width: dimensions, tokens: vectors }
  }
  expectReadable(texts, 'text')
  const { prompt, ignoredPrompt, adapter } = findPrompt(spec, task.prompt)
  const { tokenWidth } = runner.limits
  const width = ownWidth(served)
  let tokenCount = 0
  const result = await served.lane.submit({
    noun: 'text',
    sizes: sizesOf(texts, { prompt }),
    texts,
    wantsTokens: true,
    adapter,
    keepTokens: (_, tokens) => cutTokens(tokens, tokenWidth, width),
    tokenizeFirst: true,
    tokenize: async (from, to) => {
      const rowsAsked = rowOptions(served, task, { noun: 'text', firstIndex: from })
      const rows = await tokenizer.texts(texts.slice(from, to), prompt, rowsAsked)
      tokenCount += rows.ids.length
      expectTokenBudget({ noun: 'text', textCount: to, tokenCount, width })
      return rows
    },
    options,
  })
  return { ...factsOf(served, result, ignoredPrompt), width, tokens: result.tokens ?? [] }
}

/** Numbers of a token's vector, without the weight and the vector to compare by that may follow it. */
export function ownWidth({ model }: ServedModel): number {
  const { head } = model.spec
  const { lexical, multiVector } = head.kind === 'embedding' ? head : {}
  const behind = (lexical === undefined ? 0 : 1) + (multiVector?.weight.shape[0] ?? 0)
  return model.runner.limits.tokenWidth - behind
}
