/** Texts of one kind, queries or documents, on their way to the vectors that stand for them. */
import { ServerError } from '../errors.ts'
import type { KindRules } from '../model/spec.ts'
import type { CallOptions } from '../task.ts'
import type { Prompt, RowOptions } from '../tokenize/tokenizer.ts'
import type { LaneResult } from './model-lane.ts'
import type { ServedModel } from './served-model.ts'
import type { RowTask } from './task-rows.ts'
import { rowOptions, sizesOf } from './task-rows.ts'
import { expectTokenBudget } from './token-budget.ts'
import { textSideOf } from './text-side.ts'
import type { TokenKind } from './token-kind.ts'
import { keepVectors, kindRowOptions, multiWidth, tokenRulesOf } from './token-kind.ts'

export interface KindTexts {
  readonly task: RowTask
  readonly texts: readonly string[]
  readonly kind: TokenKind
  readonly prompt: Prompt
  /** What errors call a text. */
  readonly noun: string
  /** Tokens of a text that a client wants at most. */
  readonly side?: RowOptions['side']
}

/** Of each text the vectors that stand for it: [its kept tokens, width]. */
export async function readTokens(
  served: ServedModel,
  asked: KindTexts,
  options: CallOptions,
): Promise<LaneResult> {
  const { texts, prompt, noun } = asked
  const rows = new KindRows(served, asked)
  let tokenCount = 0
  return served.lane.submit({
    noun,
    sizes: sizesOf(texts, { prompt }),
    texts,
    wantsTokens: true,
    tokenizeFirst: true,
    keepTokens: (index, tokens) => rows.keep(index, tokens),
    tokenize: async (from, to) => {
      const made = await rows.make(from, to)
      tokenCount += made.ids.length
      expectTokenBudget({ noun, textCount: to, tokenCount, width: rows.width })
      return made
    },
    options,
  })
}

/** The rows of a request's texts of one kind, whose ids tell which of their tokens count. */
export class KindRows {
  readonly width: number
  readonly #served: ServedModel
  readonly #asked: KindTexts
  readonly #rules: KindRules
  /** Until the vectors of a row are there. */
  readonly #ids: (Int32Array | undefined)[] = []

  constructor(served: ServedModel, asked: KindTexts) {
    const rules = tokenRulesOf(served.model.spec)
    if (rules === undefined) throw new ServerError('internal', `${served.info.id} compares no tokens`)
    this.#served = served
    this.#asked = asked
    this.#rules = rules[asked.kind]
    this.width = multiWidth(served)
  }

  async make(from: number, to: number) {
    const { runner } = this.#served.model
    const { tokenizer, spec } = textSideOf(this.#served)
    const { task, texts, prompt, noun, side } = this.#asked
    const base = rowOptions(this.#served, task, { noun, firstIndex: from })
    const wanted = kindRowOptions({ ...base, side }, this.#rules, {
      tokenizerTokens: spec.maxTokens,
      deviceTokens: runner.limits.maxTokens,
    })
    const rows = await tokenizer.texts(texts.slice(from, to), prompt, wanted)
    for (let b = 0; b < to - from; b++)
      this.#ids[from + b] = rows.ids.slice(rows.bounds[b], rows.bounds[b + 1])
    return rows
  }

  /** Tokens of a row whose vectors are still to come. */
  tokensOf(index: number): number {
    return this.#ids[index]?.length ?? 0
  }

  /** What of a row's tokens stands for its text. */
  keep(index: number, tokens: Float32Array): Float32Array {
    const ids = this.#ids[index] ?? new Int32Array()
    this.#ids[index] = undefined
    const rowWidth = this.#served.model.runner.limits.tokenWidth
    return keepVectors({ ids, tokens, rowWidth, width: this.width }, this.#rules)
  }
}
