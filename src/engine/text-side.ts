import { ServerError } from '../errors.ts'
import type { TokenizerSpec } from '../model/spec.ts'
import type { Tokenizer } from '../tokenize/tokenizer.ts'
import type { ServedModel } from './served-model.ts'

/** What of a model reads texts. Whoever chose the model for them knows that it does. */
export function textSideOf({ model, info }: Pick<ServedModel, 'model' | 'info'>): {
  readonly tokenizer: Tokenizer
  readonly spec: TokenizerSpec
} {
  const { tokenizer, spec } = model
  if (tokenizer !== undefined && spec.tokenizer !== undefined) return { tokenizer, spec: spec.tokenizer }
  throw new ServerError('internal', `${info.id} reads no text`)
}
