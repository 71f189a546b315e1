import { ServerError } from '../../errors.ts'
import type { DecodeResult, DecodeTask } from '../../task.ts'
import type { DecodeCall } from '../../tokenize/tokenizer.ts'
import type { ServedModel } from '../served-model.ts'
import { textSideOf } from '../text-side.ts'

/** What integers mean that a client sends in place of text. */
export interface ClientIds {
  /** TOKEN_INPUT. */
  readonly tokenInput: 'cl100k' | 'native' | 'reject'
  /** Text of ids of OpenAI's cl100k_base vocabulary; throws `invalid_request`, `cancelled`. */
  readonly cl100k: (ids: readonly (readonly number[])[], call: DecodeCall) => Promise<string[]>
}

export interface DecodeContext extends ClientIds {
  /** Called only where the ids are a model's own. */
  readonly findModel: () => ServedModel
  readonly signal: AbortSignal | undefined
}

/** Throws `invalid_request` where integers are not taken, or one is no id. */
export async function decode(
  { ids, vocabulary, names, skipSpecialTokens }: DecodeTask,
  { tokenInput, cl100k, findModel, signal }: DecodeContext,
): Promise<DecodeResult> {
  if (vocabulary === 'client' && tokenInput === 'reject') {
    throw new ServerError('invalid_request', 'TOKEN_INPUT=reject: integer inputs are refused; send text')
  }
  const isCl100k = vocabulary === 'cl100k' || (vocabulary === 'client' && tokenInput === 'cl100k')
  if (isCl100k) return { texts: await cl100k(ids, { names, signal }) }
  const { tokenizer } = textSideOf(findModel())
  return { texts: await tokenizer.decode(ids, { skipSpecialTokens, names, signal }) }
}
