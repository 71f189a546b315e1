/** What a model in int8 is calibrated with and held to: our own texts, as ids of the model. */
import type { ModelSpec } from '../model/spec.ts'
import { tokenizerOf } from '../model/spec.ts'
import type { Int8Ask } from '../runtime/int8/protocol.ts'
import { LEAST_COSINE } from '../runtime/int8/protocol.ts'
import type { RaggedBatch } from '../runtime/runner.ts'
import { NO_ADAPTER } from '../runtime/runner.ts'
import type { Tokenizer } from '../tokenize/tokenizer.ts'
import { CALIBRATION_TEXTS } from './calibration-texts.ts'
import { TRIAL_TEXTS } from './trial-texts.ts'

/** Longer rows would tell no more, and take long in float32. */
const MAX_TOKENS = 256

export interface Int8AskOptions {
  readonly spec: ModelSpec
  readonly tokenizer: Tokenizer
  /** Loaded whatever the cosine. */
  readonly isForced: boolean
}

export async function makeInt8Ask(
  mode: Int8Ask['mode'],
  { spec, tokenizer, isForced }: Int8AskOptions,
): Promise<Int8Ask> {
  const { maxTokens = MAX_TOKENS, fill } = tokenizerOf(spec)
  const read = async (texts: readonly string[]): Promise<RaggedBatch> => {
    const rows = await tokenizer.texts(
      texts,
      { text: '', pooled: true },
      {
        noun: 'text',
        firstIndex: 0,
        truncate: 'right',
        maxTokens: Math.min(MAX_TOKENS, maxTokens),
        // As in every batch: what a model makes of padding is not what it makes of words.
        fill,
        // Rows with ids that the model lacks are left out where its vocabulary is known.
        vocabularySize: Infinity,
      },
    )
    return { ...rows, adapters: new Int32Array(texts.length).fill(NO_ADAPTER), wantsTokens: false }
  }
  const [calibration, trial] = [await read(CALIBRATION_TEXTS), await read(TRIAL_TEXTS)]
  return { mode, calibration, trial, leastCosine: isForced ? -1 : LEAST_COSINE }
}
