import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { ConfigJson } from './config-json.ts'
import type { TensorRef } from './spec.ts'
import { openTorchCheckpoint } from './torch-checkpoint.ts'

/**
 * Tensors of a head that lies beside the files of sentence-transformers, which does not read it (FlagEmbedding 1.4, BGE-M3);
 * undefined where the folder has none. Throws what `openTorchCheckpoint` throws.
 */
export async function readHeadFile(
  folder: string,
  name: string,
  config: ConfigJson,
): Promise<Readonly<Record<string, TensorRef>> | undefined> {
  const path = join(folder, name)
  // What is there and no file is refused as it is opened.
  const isThere = await stat(path).then(
    () => true,
    () => false,
  )
  if (!isThere || config.model_type !== 'xlm-roberta') return undefined
  return (await openTorchCheckpoint(path)).tensors
}
