import { ServerError } from '../errors.ts'
import type { ConfigJson } from './config-json.ts'
import { readHeadFile } from './head-file.ts'
import type { KindRules, TokenHead } from './spec.ts'
import { showTensors } from './show-value.ts'

export const TOKEN_HEAD_FILE = 'colbert_linear.pt'

/** All tokens but the first, of which the one vector is made. */
const ALL_BUT_FIRST: KindRules = { skippedStart: 1, skippedIds: [] }

/**
 * The head by which tokens are compared; undefined where the folder has none. Throws `model_invalid` where its tensors do not
 * fit, and what `openTorchCheckpoint` throws.
 */
export async function readTokenHead(
  folder: string,
  config: ConfigJson,
  model: string,
): Promise<TokenHead | undefined> {
  const tensors = await readHeadFile(folder, TOKEN_HEAD_FILE, config)
  if (tensors === undefined) return undefined
  const { weight, bias } = tensors
  const width = config['hidden_size']
  const [out = 0, inputs] = weight?.shape ?? []
  if (weight?.shape.length !== 2 || inputs !== width || bias?.shape.join() !== String(out)) {
    throw new ServerError(
      'model_invalid',
      `${model}: ${TOKEN_HEAD_FILE} must hold weight [D, ${String(width)}] and bias [D]; it has ${showTensors(tensors)}`,
    )
  }
  return { weight, bias, rules: { query: ALL_BUT_FIRST, document: ALL_BUT_FIRST, similarity: 'mean' } }
}
