import { join } from 'node:path'
import { z } from 'zod'
import { ServerError } from '../errors.ts'
import { readJson } from './json-file.ts'
import type { Answers } from './spec.ts'

/** The module of sentence-transformers that makes a score of a language model's logits. */
export const LOGIT_SCORE = 'LogitScore'

const TokenId = z.int().nonnegative()

const LogitScoreConfig = z.looseObject({
  true_token_id: TokenId,
  false_token_id: TokenId.nullish(),
  module_input_name: z.literal('causal_logits').nullish(),
})

/** Throws `model_invalid` where its config.json is missing or broken. */
export async function readLogitScore(folder: string, where: string): Promise<Answers> {
  const config = await readJson(join(folder, 'config.json'), LogitScoreConfig)
  if (config === undefined) throw new ServerError('model_invalid', `${where}: config.json is missing`)
  return { yes: config.true_token_id, no: config.false_token_id ?? undefined, divisor: 1 }
}
