import { ServerError } from '../../errors.ts'
import type { ModelSpec } from '../../model/spec.ts'
import type { CallOptions, ClassifyResult, ClassifyTask } from '../../task.ts'
import { expectReadable } from '../expect-readable.ts'
import { findPairPrompt } from '../find-pair-prompt.ts'
import { splitScores } from '../finish.ts'
import type { ServedModel } from '../served-model.ts'
import { factsOf, pairTexts, rowOptions, sizesOf } from '../task-rows.ts'
import { textSideOf } from '../text-side.ts'

export async function classify(
  served: ServedModel,
  task: ClassifyTask,
  options: CallOptions,
): Promise<ClassifyResult> {
  const { texts, pairs, truncate } = task
  const { spec } = served.model
  const { tokenizer } = textSideOf(served)
  expectReadable(texts, 'text')
  if (pairs !== undefined) expectSeconds(texts, pairs)
  else expectSingles(spec)
  const { prompt, instruction, told, ignoredPrompt } = findPairPrompt(spec, task)
  const result = await served.lane.submit({
    noun: 'text',
    sizes: sizesOf(texts, { prompt: told, others: pairs }),
    texts: pairs === undefined ? texts : pairTexts(texts, pairs),
    wantsTokens: false,
    tokenizeFirst: truncate === 'none',
    tokenize: (from, to) => {
      const rowsAsked = rowOptions(served, task, { noun: 'text', firstIndex: from })
      if (pairs === undefined) return tokenizer.texts(texts.slice(from, to), prompt, rowsAsked)
      const firsts = texts.slice(from, to).map((text) => prompt.text + text)
      return tokenizer.pairs(firsts, pairs.slice(from, to), { ...rowsAsked, instruction })
    },
    options,
  })
  const labels = spec.head.kind === 'classification' ? spec.head.labels : []
  return { ...factsOf(served, result, ignoredPrompt), labels, ...splitScores(result.rows, labels.length) }
}

function expectSingles({ name, tokenizer }: ModelSpec): void {
  if (tokenizer?.pairPrompt === undefined) return
  throw new ServerError('invalid_request', `${name} judges pairs of texts; a second text is missing for each`)
}

function expectSeconds(texts: readonly string[], pairs: readonly string[]): void {
  expectReadable(pairs, 'pair')
  if (pairs.length === texts.length) return
  throw new ServerError('invalid_request', `there are ${texts.length} texts and ${pairs.length} second texts`)
}
