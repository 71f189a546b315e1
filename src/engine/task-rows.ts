/** What tasks of texts have in common: how their rows are asked for, and what their results say besides. */
import type { ResultFacts, Truncation } from '../task.ts'
import type { Prompt, RowOptions } from '../tokenize/tokenizer.ts'
import type { LaneResult } from './model-lane.ts'
import type { ServedModel } from './served-model.ts'
import { textSideOf } from './text-side.ts'

/** What a task of any kind says of its rows. */
export interface RowTask {
  readonly truncate?: Truncation | undefined
  readonly maxTokens?: number | undefined
}

/** How the rows of items from `firstIndex` on are made; `noun`: what an error calls one. */
export function rowOptions(
  served: ServedModel,
  { truncate, maxTokens }: RowTask,
  { noun, firstIndex }: { noun: string; firstIndex: number },
): RowOptions {
  const { model, info } = served
  const { truncationSide, fill } = textSideOf(served).spec
  return {
    noun,
    firstIndex,
    truncate: truncate ?? truncationSide,
    fill,
    maxTokens: info.maxTokens,
    clientMaxTokens: maxTokens,
    vocabularySize: model.runner.limits.vocabularySize,
  }
}

interface Beside {
  /** Stands before each. */
  readonly prompt?: Prompt
  /** The other side of pairs. */
  readonly others?: readonly string[] | undefined
}

/** Characters of each item, whatever of it the tokenizer reads each time. */
export function sizesOf(texts: readonly string[], { prompt, others = [] }: Beside = {}): number[] {
  const promptSize = prompt?.text.length ?? 0
  return texts.map((text, index) => promptSize + text.length + (others[index]?.length ?? 0))
}

/** What tells pairs apart: identical ones are computed once. */
export function pairTexts(firsts: readonly string[], seconds: readonly string[]): string[] {
  return firsts.map((first, index) => `${first.length} ${first}${seconds[index] ?? ''}`)
}

export function factsOf(
  { info }: ServedModel,
  { textTokens, truncatedItems, timing }: Pick<LaneResult, 'textTokens' | 'truncatedItems' | 'timing'>,
  ignoredPrompt: string | undefined,
): ResultFacts {
  return { model: info.id, promptTokens: textTokens, truncatedItems, ignoredPrompt, timing }
}
