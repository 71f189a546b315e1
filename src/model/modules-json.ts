/** sentence-transformers' pipeline: modules.json and the folders that it names. */
import { basename, join, normalize, sep } from 'node:path'
import { z } from 'zod'
import { ServerError } from '../errors.ts'
import { parseActivation } from './activation-name.ts'
import { parseJson, readJson } from './json-file.ts'
import { openWeights } from './weight-files.ts'
import type { DenseStep, EmbeddingStep, PoolingMode, PoolingStep } from './spec.ts'

const ModulesJson = z.array(z.looseObject({ path: z.string(), type: z.string() }))

const PoolingMode = z.enum(['cls', 'max', 'mean', 'mean_sqrt_len_tokens', 'weightedmean', 'lasttoken'])

const PoolingConfig = z.looseObject({
  pooling_mode: z.union([PoolingMode, z.array(PoolingMode).min(1)]).nullish(),
  include_prompt: z.boolean().nullish(),
})

/** Legacy flags; several that are true concatenate in this order, whatever their order in the file. */
const LEGACY_FLAGS: readonly (readonly [string, PoolingMode])[] = [
  ['pooling_mode_cls_token', 'cls'],
  ['pooling_mode_max_tokens', 'max'],
  ['pooling_mode_mean_tokens', 'mean'],
  ['pooling_mode_mean_sqrt_len_tokens', 'mean_sqrt_len_tokens'],
  ['pooling_mode_weightedmean_tokens', 'weightedmean'],
  ['pooling_mode_lasttoken', 'lasttoken'],
]

const DenseConfig = z.looseObject({
  bias: z.boolean().nullish(),
  activation_function: z.string().nullish(),
  module_input_name: z.string().nullish(),
  module_output_name: z.string().nullish(),
  use_residual: z.boolean().nullish(),
})

const MEAN: PoolingStep = { kind: 'pooling', modes: ['mean'], includePrompt: true }

export interface Pipeline {
  /** Whether the folder has a modules.json: without one, sentence-transformers ignores its other own files too. */
  readonly hasModules: boolean
  /** Folder of the Transformer module: where config.json and the weights are. */
  readonly transformer: string
  readonly steps: readonly EmbeddingStep[]
}

/** A module's folder, relative to the model's, and what of it is read. */
export interface ModuleFolder {
  readonly path: string
  readonly kind: 'transformer' | 'config' | 'config-and-weights' | 'nothing'
}

/** The folders that a modules.json, given as text, speaks of. Throws `model_invalid`. */
export function moduleFolders(text: string, name: string): readonly ModuleFolder[] {
  return parseJson(text, ModulesJson, name).map(({ path, type }, i) => ({
    path,
    kind: i === 0 ? 'transformer' : (READ_OF_MODULE.get(className(type)) ?? 'nothing'),
  }))
}

const READ_OF_MODULE: ReadonlyMap<string, ModuleFolder['kind']> = new Map([
  ['Pooling', 'config'],
  ['Dense', 'config-and-weights'],
])

/** A folder without modules.json is a Transformer with mean pooling. Throws `model_unsupported` for a module that we lack. */
export async function readPipeline(folder: string, model: string): Promise<Pipeline> {
  const modules = await readJson(join(folder, 'modules.json'), ModulesJson)
  if (modules === undefined) return { hasModules: false, transformer: folder, steps: [MEAN] }
  // In the order of the file, whatever `idx` says: as the reference does.
  const [first, ...rest] = modules
  if (first === undefined || className(first.type) !== 'Transformer') {
    throw new ServerError(
      'model_unsupported',
      `${model}: the first module is ${first?.type ?? 'missing'}; supported is Transformer`,
    )
  }
  const steps: EmbeddingStep[] = []
  for (const module of rest) {
    steps.push(
      ...(await readStep(module.type, inside(folder, module.path, model), `${model}/${module.path}`)),
    )
  }
  return { hasModules: true, transformer: inside(folder, first.path, model), steps }
}

async function readStep(type: string, folder: string, where: string): Promise<EmbeddingStep[]> {
  switch (className(type)) {
    case 'Pooling':
      return [await readPooling(folder, where)]
    case 'Dense':
      return [await readDense(folder, where)]
    case 'Normalize':
      return [{ kind: 'normalize' }]
    case 'Dropout':
      return []
    default:
      throw new ServerError(
        'model_unsupported',
        `${where}: module ${type} is not supported; supported are Transformer, Pooling, Dense, Normalize and Dropout`,
      )
  }
}

async function readPooling(folder: string, where: string): Promise<PoolingStep> {
  const config = await readJson(join(folder, 'config.json'), PoolingConfig)
  if (config === undefined) throw new ServerError('model_invalid', `${where}: config.json is missing`)
  const includePrompt = config.include_prompt ?? true
  if (config.pooling_mode !== undefined && config.pooling_mode !== null) {
    return { kind: 'pooling', modes: [config.pooling_mode].flat(), includePrompt }
  }
  const flags = config as Readonly<Record<string, unknown>>
  const modes = LEGACY_FLAGS.flatMap(([flag, mode]) => (flags[flag] === true ? [mode] : []))
  return { kind: 'pooling', modes: modes.length > 0 ? modes : MEAN.modes, includePrompt }
}

async function readDense(folder: string, where: string): Promise<DenseStep> {
  const config = await readJson(join(folder, 'config.json'), DenseConfig)
  if (config === undefined) throw new ServerError('model_invalid', `${where}: config.json is missing`)
  const features = [config.module_input_name, config.module_output_name].map(
    (name) => name ?? 'sentence_embedding',
  )
  if (features.some((name) => name !== 'sentence_embedding') || config.use_residual === true) {
    const residual = config.use_residual === true ? ' with a residual' : ''
    throw new ServerError(
      'model_unsupported',
      `${where}: a Dense module from ${features.join(' to ')}${residual} is not supported`,
    )
  }
  const { tensors } = await openWeights(folder)
  const weight = tensors['linear.weight']
  const bias = tensors['linear.bias']
  if (weight === undefined || weight.shape.length !== 2 || weight.dtype === 'I8') {
    throw new ServerError('model_invalid', `${where}: there is no matrix linear.weight of F32, F16 or BF16`)
  }
  if ((config.bias ?? true) && (bias?.shape.join() !== String(weight.shape[0]) || bias.dtype === 'I8')) {
    throw new ServerError(
      'model_invalid',
      `${where}: linear.bias is ${bias ? `[${bias.shape.join()}]` : 'missing'}; it must be [${weight.shape[0]}]`,
    )
  }
  const activation = parseActivation(config.activation_function ?? '', 'tanh', where)
  return { kind: 'dense', weight, bias: (config.bias ?? true) ? bias : undefined, activation }
}

/** The class of a module of sentence-transformers; somebody's own module, whatever its name, is returned whole. */
function className(type: string): string {
  return type.startsWith('sentence_transformers.') ? type.slice(type.lastIndexOf('.') + 1) : type
}

/** A module's folder; one outside the model's folder is refused. */
function inside(folder: string, path: string, model: string): string {
  const full = normalize(join(folder, path))
  if (full !== normalize(folder) && !full.startsWith(normalize(folder + sep))) {
    throw new ServerError(
      'model_invalid',
      `${model}: modules.json names ${basename(path)} outside the model's folder`,
    )
  }
  return full
}
