import { ServerError } from '../../errors.ts'
import type { CallOptions, EmbedTokensResult, EmbedTokensTask } from '../../task.ts'
import { expectReadable } from '../expect-readable.ts'
import { findPrompt } from '../find-prompt.ts'
import type { ServedModel } from '../served-model.ts'
import { factsOf, rowOptions, sizesOf } from '../task-rows.ts'
import { cutTokens } from '../word-weights.ts'

/** Numbers in the token vectors of one request: 16 MB as they are, several times that as JSON; many may be under way. */
const MAX_TOKEN_NUMBERS = 4_194_304

/** Throws `request_too_large`, before anything runs, where the vectors of all tokens would be too many numbers. */
export async function embedTokens(
  served: ServedModel,
  task: EmbedTokensTask,
  options: CallOptions,
): Promise<EmbedTokensResult> {
  const { texts } = task
  expectReadable(texts, 'text')
  const { spec, runner, tokenizer } = served.model
  const { prompt, ignoredPrompt } = findPrompt(spec, task.prompt)
  const { tokenWidth } = runner.limits
  const width = ownWidth(served)
  let tokenCount = 0
  const result = await served.lane.submit({
    noun: 'text',
    sizes: sizesOf(texts, { prompt }),
    wantsTokens: true,
    keepTokens: (_, tokens) => cutTokens(tokens, tokenWidth, width),
    tokenizeFirst: true,
    tokenize: async (from, to) => {
      const rowsAsked = rowOptions(served, task, { noun: 'text', firstIndex: from })
      const rows = await tokenizer.texts(texts.slice(from, to), prompt, rowsAsked)
      tokenCount += rows.ids.length
      expectTokenBudget({ textCount: to, tokenCount, width })
      return rows
    },
    options,
  })
  return { ...factsOf(served, result, ignoredPrompt), width, tokens: result.tokens ?? [] }
}

/** Numbers of a token's vector, without the weight that may follow it. */
export function ownWidth({ model }: ServedModel): number {
  const { head } = model.spec
  const hasWeight = head.kind === 'embedding' && head.lexical !== undefined
  return model.runner.limits.tokenWidth - (hasWeight ? 1 : 0)
}

/** `textCount`: the texts that were tokenized so far, and have `tokenCount` tokens. */
function expectTokenBudget({
  textCount,
  tokenCount,
  width,
}: Record<'textCount' | 'tokenCount' | 'width', number>) {
  if (tokenCount * width <= MAX_TOKEN_NUMBERS) return
  const texts = textCount === 1 ? 'text 0 has' : `texts 0 to ${textCount - 1} have`
  throw new ServerError(
    'request_too_large',
    `${texts} ${tokenCount} tokens of ${width} numbers each; the token vectors of a request may hold ${MAX_TOKEN_NUMBERS} numbers`,
  )
}
