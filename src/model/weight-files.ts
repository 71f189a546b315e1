/** Which files of a folder hold the weights: one safetensors file or the shards of an index. */
import { stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { ServerError } from '../errors.ts'
import { readJson } from './json-file.ts'
import type { SafetensorsFile } from './safetensors.ts'
import { readSafetensors } from './safetensors.ts'

const Index = z.looseObject({ weight_map: z.record(z.string(), z.string()) })

/** Formats that are not read, and what would help. */
const OTHER_FORMATS = [
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
  'tf_model.h5',
  'model.onnx',
  'onnx/model.onnx',
]

/** Every tensor of the folder. Throws `model_unsupported` where the weights are in another format only. */
export async function openWeights(folder: string): Promise<SafetensorsFile> {
  const single = join(folder, 'model.safetensors')
  if (await exists(single)) return readSafetensors(single)
  const index = await readJson(join(folder, 'model.safetensors.index.json'), Index)
  if (index !== undefined) return openShards(folder, index.weight_map)

  const name = basename(folder)
  for (const file of OTHER_FORMATS) {
    if (await exists(join(folder, file))) {
      throw new ServerError(
        'model_unsupported',
        `${name}: the weights are in ${file} only; model.safetensors is needed (transformers saves it by default)`,
      )
    }
  }
  throw new ServerError(
    'model_invalid',
    `${name}: there is neither model.safetensors nor model.safetensors.index.json`,
  )
}

/** A file of the folder itself. */
const SHARD_NAME = /^[^/\\]+\.safetensors$/

async function openShards(
  folder: string,
  weightMap: Readonly<Record<string, string>>,
): Promise<SafetensorsFile> {
  const tensors: Record<string, SafetensorsFile['tensors'][string]> = {}
  const unusable: Record<string, string> = {}
  const shards = new Map<string, SafetensorsFile>()
  for (const file of new Set(Object.values(weightMap))) {
    if (!SHARD_NAME.test(file)) {
      throw new ServerError('model_invalid', `the weight index names ${file}, which is not in the folder`)
    }
    if (!(await exists(join(folder, file))))
      throw new ServerError('model_invalid', `shard ${file} is missing`)
    shards.set(file, await readSafetensors(join(folder, file)))
  }
  for (const [name, file] of Object.entries(weightMap)) {
    const shard = shards.get(file)
    const tensor = shard && ownEntry(shard.tensors, name)
    const dtype = shard && ownEntry(shard.unusable, name)
    if (tensor !== undefined) tensors[name] = tensor
    else if (dtype !== undefined) unusable[name] = dtype
    else
      throw new ServerError(
        'model_invalid',
        `the weight index puts tensor ${name} in ${file}, which does not hold it`,
      )
  }
  return { tensors, unusable }
}

/** Names come from files, and `toString` is one that every object seems to have. */
function ownEntry<X>(record: Readonly<Record<string, X>>, name: string): X | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined
}

/** Whether there is such a file. */
async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isFile(),
    () => false,
  )
}
