import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { ServerError } from '../errors.ts'
import type { ConfigJson } from './config-json.ts'
import type { LexicalHead } from './spec.ts'
import { showTensors } from './show-value.ts'
import { openTorchCheckpoint } from './torch-checkpoint.ts'

/** Beside the files of sentence-transformers, which does not read it (FlagEmbedding 1.4, BGE-M3). */
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
  const path = join(folder, LEXICAL_FILE)
  // What is there and no file is refused as it is opened.
  const isThere = await stat(path).then(
    () => true,
    () => false,
  )
  if (!isThere || config.model_type !== 'xlm-roberta') return undefined
  const { tensors } = await openTorchCheckpoint(path)
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
