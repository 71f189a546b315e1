/** Which files of a folder hold the weights: one safetensors file or the shards of an index. */
import { stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { ServerError } from '../errors.ts'
import { parseJson, readJson } from './json-file.ts'
import type { SafetensorsFile } from './safetensors.ts'
import { readSafetensors } from './safetensors.ts'

export const WEIGHTS = 'model.safetensors'
export const WEIGHTS_INDEX = 'model.safetensors.index.json'

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
  const single = join(folder, WEIGHTS)
  if (await exists(single)) return readSafetensors(single)
  const index = await readJson(join(folder, WEIGHTS_INDEX), Index)
  if (index !== undefined) return openShards(folder, index.weight_map)

  const found = new Set<string>()
  for (const file of OTHER_FORMATS) if (await exists(join(folder, file))) found.add(file)
  throw noWeights(basename(folder), (file) => found.has(file))
}

/** What is wrong with a folder without safetensors; `has` tells which files it holds. */
export function noWeights(name: string, has: (file: string) => boolean): ServerError {
  const other = OTHER_FORMATS.find(has)
  return other === undefined
    ? new ServerError('model_invalid', `${name}: there is neither ${WEIGHTS} nor ${WEIGHTS_INDEX}`)
    : new ServerError(
        'model_unsupported',
        `${name}: the weights are in ${other} only; ${WEIGHTS} is needed (transformers saves it by default)`,
      )
}

/** Names of the shards that an index, given as text, speaks of. Throws `model_invalid`. */
export function shardsOf(index: string, name: string): readonly string[] {
  return shardNames(parseJson(index, Index, name).weight_map)
}

/** Every shard once. Throws `model_invalid` for one that is not a file of the folder itself. */
function shardNames(weightMap: Readonly<Record<string, string>>): readonly string[] {
  const names = [...new Set(Object.values(weightMap))]
  for (const name of names) {
    if (SHARD_NAME.test(name)) continue
    throw new ServerError('model_invalid', `the weight index names ${name}, which is not in the folder`)
  }
  return names
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
  for (const file of shardNames(weightMap)) {
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
