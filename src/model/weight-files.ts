/** Which files of a folder hold the weights: one file or the shards of an index, safetensors before checkpoints of torch. */
import { readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { ServerError } from '../errors.ts'
import { parseJson, readJson } from './json-file.ts'
import type { WeightFile } from './safetensors.ts'
import { readSafetensors } from './safetensors.ts'
import { showValue } from './show-value.ts'
import { openTorchCheckpoint } from './torch-checkpoint.ts'

export const WEIGHTS = 'model.safetensors'
export const WEIGHTS_INDEX = 'model.safetensors.index.json'

interface Format {
  readonly single: string
  readonly index: string
  /** A shard: a file of the folder itself. */
  readonly shard: RegExp
  readonly open: (path: string) => Promise<WeightFile>
}

/** The first that a folder holds is read. */
const FORMATS: readonly Format[] = [
  { single: WEIGHTS, index: WEIGHTS_INDEX, shard: /^[^/\\]+\.safetensors$/, open: readSafetensors },
  {
    single: 'pytorch_model.bin',
    index: 'pytorch_model.bin.index.json',
    shard: /^[^/\\]+\.bin$/,
    open: openTorchCheckpoint,
  },
]

const Index = z.looseObject({ weight_map: z.record(z.string(), z.string()) })

/** What makes a folder an adapter of PEFT to the weights of another one. */
export const ADAPTER = 'adapter_config.json'

const AdapterBase = z.looseObject({ base_model_name_or_path: z.string().nullish() })

/** Formats that are not read, the likeliest first. */
const OTHER_FORMATS: readonly RegExp[] = [
  /^adapter_model\.(safetensors|bin)$/,
  /^tf_model\.h5$/,
  /^flax_model\.msgpack$/,
  /^rust_model\.ot$/,
  /\.gguf$/,
  /\.onnx$/,
  /\.(safetensors|bin|pt|pth|ckpt)$/,
]

/**
 * Every tensor of the folder. Throws `model_unsupported` where the weights are in another format only, or those of an adapter
 * to another model; `model_invalid` where there are none or they are broken.
 */
export async function openWeights(folder: string): Promise<WeightFile> {
  const name = basename(folder)
  await expectNoAdapter(folder)
  for (const format of FORMATS) {
    const single = join(folder, format.single)
    if (await exists(single)) return format.open(single)
    const index = await readJson(join(folder, format.index), Index)
    if (index !== undefined) return openShards(folder, index.weight_map, format)
  }
  throw noWeights(name, [...(await namesIn(folder)), ...(await namesIn(folder, 'onnx'))])
}

/** Throws `model_unsupported`, naming the other one, for a folder with an adapter to the weights of another one. */
export async function expectNoAdapter(folder: string): Promise<void> {
  const adapter = await readJson(join(folder, ADAPTER), AdapterBase)
  if (adapter !== undefined) throw isAdapter(basename(folder), adapter)
}

/** Whether a folder holds weights, or what refuses to be looked for others: then `openWeights` has the word. */
export async function hasWeights(folder: string): Promise<boolean> {
  const names = [ADAPTER, ...FORMATS.flatMap(({ single, index }) => [single, index])]
  return (await Promise.all(names.map((name) => exists(join(folder, name))))).includes(true)
}

/** The files of a folder that hold its weights, as far as is known. */
export interface WeightNames {
  readonly files: readonly string[]
  /** An index that must be read before all are known. */
  readonly unread?: string
}

/** Which files hold the weights of a folder. `read`: the text of a file, undefined where it is still to be fetched. Throws `model_invalid`, or `model_unsupported` for an adapter. */
export async function weightNames(folder: {
  readonly name: string
  readonly has: (file: string) => Promise<boolean>
  readonly read: (file: string) => Promise<string | undefined>
}): Promise<WeightNames> {
  if (await folder.has(ADAPTER)) {
    const text = await folder.read(ADAPTER)
    if (text === undefined) return { files: [ADAPTER], unread: ADAPTER }
    throw isAdapter(folder.name, parseJson(text, AdapterBase, `${folder.name}/${ADAPTER}`))
  }
  for (const format of FORMATS) {
    if (await folder.has(format.single)) return { files: [format.single] }
    if (!(await folder.has(format.index))) continue
    const text = await folder.read(format.index)
    if (text === undefined) return { files: [format.index], unread: format.index }
    const index = parseJson(text, Index, `${folder.name}/${format.index}`)
    return { files: [format.index, ...shardNames(index.weight_map, format)] }
  }
  return { files: [WEIGHTS] }
}

/** What is wrong with a folder without weights that we read; `files` are those that it holds. */
export function noWeights(name: string, files: readonly string[]): ServerError {
  const other = OTHER_FORMATS.flatMap((pattern) => files.find((file) => pattern.test(file)) ?? [])[0]
  return other === undefined
    ? new ServerError('model_invalid', `${name}: there is neither ${WEIGHTS} nor ${WEIGHTS_INDEX}`)
    : new ServerError(
        'model_unsupported',
        `${name}: the weights are in ${other} only; ${WEIGHTS} is needed (transformers saves it by default), or pytorch_model.bin, or a model exported as onnx/model.onnx`,
      )
}

function isAdapter(
  name: string,
  { base_model_name_or_path: base }: z.infer<typeof AdapterBase>,
): ServerError {
  const shown = typeof base === 'string' && base !== '' ? showValue(base) : 'another model'
  return new ServerError(
    'model_unsupported',
    `${name}: ${ADAPTER} makes it an adapter to ${shown}; supported is a folder into which the adapter was merged (merge_and_unload of peft, then save_pretrained)`,
  )
}

/** Every shard once. Throws `model_invalid` for one that is not a file of the folder itself. */
function shardNames(weightMap: Readonly<Record<string, string>>, { shard }: Format): readonly string[] {
  const names = [...new Set(Object.values(weightMap))]
  for (const name of names) {
    if (shard.test(name)) continue
    throw new ServerError('model_invalid', `the weight index names ${name}, which is not in the folder`)
  }
  return names
}

async function openShards(
  folder: string,
  weightMap: Readonly<Record<string, string>>,
  format: Format,
): Promise<WeightFile> {
  const tensors: Record<string, WeightFile['tensors'][string]> = {}
  const unusable: Record<string, WeightFile['unusable'][string]> = {}
  const shards = new Map<string, WeightFile>()
  for (const file of shardNames(weightMap, format)) {
    if (!(await exists(join(folder, file))))
      throw new ServerError('model_invalid', `shard ${file} is missing`)
    shards.set(file, await format.open(join(folder, file)))
  }
  for (const [name, file] of Object.entries(weightMap)) {
    const shard = shards.get(file)
    const tensor = shard && ownEntry(shard.tensors, name)
    const other = shard && ownEntry(shard.unusable, name)
    if (tensor !== undefined) tensors[name] = tensor
    else if (other !== undefined) unusable[name] = other
    else
      throw new ServerError(
        'model_invalid',
        `the weight index puts tensor ${name} in ${file}, which does not hold it`,
      )
  }
  return { tensors, unusable }
}

/** Names come from files, and `toString` is one that every object seems to have. */
export function ownEntry<X>(record: Readonly<Record<string, X>>, name: string): X | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined
}

/** Paths of the files in a folder, or in one of its folders, relative to it. */
async function namesIn(folder: string, inner = ''): Promise<readonly string[]> {
  const entries = await readdir(join(folder, inner), { withFileTypes: true }).catch(() => [])
  return entries.flatMap((entry) => (entry.isDirectory() ? [] : join(inner, entry.name))).sort()
}

/** Whether there is such a file. Throws `model_invalid` for what is called like it and is none. */
export async function exists(path: string): Promise<boolean> {
  const stats = await stat(path).catch(() => undefined)
  if (stats === undefined || stats.isFile()) return stats !== undefined
  throw new ServerError('model_invalid', `${basename(path)} is not a regular file`)
}
