import { ServerError } from '../errors.ts'
import type { ConfigJson } from './config-json.ts'
import { readHeadFile } from './head-file.ts'
import type { LexicalHead } from './spec.ts'
import { showTensors } from './show-value.ts'

export const LEXICAL_FILE = 'sparse_linear.pt'

/** XLM-RoBERTa's token for what its vocabulary lacks: no file but the tokenizer's names it. */
const UNKNOWN_ID = 3

/**
 * The head that weighs words; undefined where the folder has none. Throws `model_invalid` where its tensors do not fit, and
 * what `openTorchCheckpoint` throws.
 */
export async function readLexicalHead(
  folder: string,
  config: ConfigJson,
  model: string,
): Promise<LexicalHead | undefined> {
  const tensors = await readHeadFile(folder, LEXICAL_FILE, config)
  if (tensors === undefined) return undefined
  const { weight, bias } = tensors
  const width = config['hidden_size']
  if (weight?.shape.join() !== `1,${String(width)}` || bias?.shape.join() !== '1') {
    throw new ServerError(
      'model_invalid',
      `${model}: ${LEXICAL_FILE} must hold weight [1, ${String(width)}] and bias [1]; it has ${showTensors(tensors)}`,
    )
  }
  const special = [config['bos_token_id'] ?? 0, config['pad_token_id'] ?? 1, config['eos_token_id'] ?? 2]
  return { weight, bias, skippedIds: [...special.filter((id) => typeof id === 'number'), UNKNOWN_ID] }
}
