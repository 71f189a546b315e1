/** The modules of sentence-transformers that stand behind the Transformer, each read from a folder of its own. */
import { join } from 'node:path'
import { z } from 'zod'
import { ServerError } from '../errors.ts'
import { parseActivation } from './activation-name.ts'
import { readJson } from './json-file.ts'
import type {
  DenseStep,
  EmbeddingStep,
  LayerNormStep,
  LayersStep,
  NormalizeStep,
  PoolingMode,
  PoolingStep,
  TensorRef,
} from './spec.ts'
import { isCode } from './spec.ts'
import { openWeights } from './weight-files.ts'

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

/** Which of its features a module reads and writes. */
const FEATURES = {
  module_input_name: z.string().nullish(),
  module_output_name: z.string().nullish(),
}

const DenseConfig = z.looseObject({
  bias: z.boolean().nullish(),
  activation_function: z.string().nullish(),
  use_residual: z.boolean().nullish(),
  ...FEATURES,
})

const NormalizeConfig = z.looseObject(FEATURES)

const LayersConfig = z.looseObject({
  layer_start: z.int().nonnegative().nullish(),
  num_hidden_layers: z.int().positive().nullish(),
})

/** What of a module's folder is read. */
export type ModuleFiles = 'config' | 'config-and-weights' | 'optional-config' | 'nothing'

interface ModuleReader {
  readonly files: ModuleFiles
  /** `where`: what errors call the module. */
  readonly read: (folder: string, where: string) => Promise<readonly EmbeddingStep[]>
}

/** By the names of their classes. */
export const STEP_MODULES: Readonly<Record<string, ModuleReader>> = {
  Pooling: { files: 'config', read: async (folder, where) => [await readPooling(folder, where)] },
  Dense: { files: 'config-and-weights', read: async (folder, where) => [await readDense(folder, where)] },
  LayerNorm: {
    files: 'config-and-weights',
    read: async (folder, where) => [await readLayerNorm(folder, where)],
  },
  WeightedLayerPooling: {
    files: 'config-and-weights',
    read: async (folder, where) => [await readLayers(folder, where)],
  },
  Normalize: {
    files: 'optional-config',
    read: async (folder, where) => [await readNormalize(folder, where)],
  },
  Dropout: { files: 'nothing', read: async () => [] },
}

/** The steps that a module is. Throws `model_unsupported` for a class that we lack, `model_invalid` for a broken folder. */
export async function readStep(
  type: string,
  folder: string,
  where: string,
): Promise<readonly EmbeddingStep[]> {
  const name = className(type)
  const module = Object.hasOwn(STEP_MODULES, name) ? STEP_MODULES[name] : undefined
  if (module !== undefined) return module.read(folder, where)
  const supported = Object.keys(STEP_MODULES).join(', ')
  throw new ServerError(
    'model_unsupported',
    `${where}: module ${type} is not supported; supported are Transformer, Router, ${supported}`,
  )
}

/** jina-embeddings-v3's own: a Transformer, as long as no task is chosen. */
const JINA_TRANSFORMER = 'custom_st.Transformer'
/** As sentence-transformers 6 reads it, without that library. */
export const PYLATE_DENSE = 'pylate.models.Dense.Dense'

/** The class of a module of sentence-transformers; somebody's own module, whatever its name, is returned whole. */
export function className(type: string): string {
  if (type === JINA_TRANSFORMER) return 'Transformer'
  if (type === PYLATE_DENSE) return 'Dense'
  return type.startsWith('sentence_transformers.') ? type.slice(type.lastIndexOf('.') + 1) : type
}

async function readPooling(folder: string, where: string): Promise<PoolingStep> {
  const config = await readModuleConfig(folder, PoolingConfig, where)
  const includePrompt = config.include_prompt ?? true
  if (config.pooling_mode !== undefined && config.pooling_mode !== null) {
    return { kind: 'pooling', modes: [config.pooling_mode].flat(), includePrompt }
  }
  const flags = config as Readonly<Record<string, unknown>>
  const modes = LEGACY_FLAGS.flatMap(([flag, mode]) => (flags[flag] === true ? [mode] : []))
  return { kind: 'pooling', modes: modes.length > 0 ? modes : ['mean'], includePrompt }
}

async function readDense(folder: string, where: string): Promise<DenseStep> {
  const config = await readModuleConfig(folder, DenseConfig, where)
  const feature = readFeature(config, 'Dense', where)
  const { tensors } = await openWeights(folder)
  const weight = tensors['linear.weight']
  const bias = tensors['linear.bias']
  if (weight === undefined || weight.shape.length !== 2 || isCode(weight.dtype)) {
    throw new ServerError('model_invalid', `${where}: there is no matrix linear.weight of F32, F16 or BF16`)
  }
  const [out = 0, inputs = 0] = weight.shape
  const hasBias = config.bias ?? true
  if (hasBias) expectTensor(bias, [out], 'linear.bias', where)
  let residual: DenseStep['residual']
  if (config.use_residual === true) {
    residual = out === inputs ? 'input' : takeTensor(tensors, 'residual.weight', [out, inputs], where)
  }
  return {
    kind: 'dense',
    weight,
    bias: hasBias ? bias : undefined,
    activation: parseActivation(config.activation_function ?? '', 'tanh', where),
    ...(feature === 'token_embeddings' && { perToken: true }),
    ...(residual !== undefined && { residual }),
  }
}

async function readLayerNorm(folder: string, where: string): Promise<LayerNormStep> {
  const { tensors } = await openWeights(folder)
  const width = tensors['norm.weight']?.shape[0] ?? 0
  return {
    kind: 'layer_norm',
    weight: takeTensor(tensors, 'norm.weight', [width], where),
    bias: takeTensor(tensors, 'norm.bias', [width], where),
  }
}

async function readLayers(folder: string, where: string): Promise<LayersStep> {
  const config = await readModuleConfig(folder, LayersConfig, where)
  const { tensors } = await openWeights(folder)
  const start = config.layer_start ?? 4
  const count = (config.num_hidden_layers ?? 12) + 1 - start
  return { kind: 'layers', weights: takeTensor(tensors, 'layer_weights', [count], where), start }
}

/** Older folders are empty. */
async function readNormalize(folder: string, where: string): Promise<NormalizeStep> {
  const config = (await readJson(join(folder, 'config.json'), NormalizeConfig)) ?? {}
  const feature = readFeature(config, 'Normalize', where)
  return { kind: 'normalize', ...(feature === 'token_embeddings' && { perToken: true }) }
}

async function readModuleConfig<S extends z.ZodType>(
  folder: string,
  schema: S,
  where: string,
): Promise<z.output<S>> {
  const config = await readJson(join(folder, 'config.json'), schema)
  if (config === undefined) throw new ServerError('model_invalid', `${where}: config.json is missing`)
  return config
}

/** The feature that a module replaces: what it reads must be what it writes. */
function readFeature(
  { module_input_name: input, module_output_name: output }: z.infer<typeof NormalizeConfig>,
  module: string,
  where: string,
): 'sentence_embedding' | 'token_embeddings' {
  const from = input ?? 'sentence_embedding'
  const to = output ?? from
  if (from === to && (from === 'sentence_embedding' || from === 'token_embeddings')) return from
  throw new ServerError(
    'model_unsupported',
    `${where}: a ${module} module from ${from} to ${to} is not supported; ` +
      'supported are sentence_embedding and token_embeddings, each to itself',
  )
}

function takeTensor(
  tensors: Readonly<Record<string, TensorRef>>,
  name: string,
  shape: readonly number[],
  where: string,
): TensorRef {
  const tensor = tensors[name]
  expectTensor(tensor, shape, name, where)
  return tensor
}

function expectTensor(
  tensor: TensorRef | undefined,
  shape: readonly number[],
  name: string,
  where: string,
): asserts tensor is TensorRef {
  if (tensor?.shape.join() === shape.join() && !isCode(tensor.dtype)) return
  const is = tensor === undefined ? 'missing' : `${tensor.dtype} [${tensor.shape.join(', ')}]`
  throw new ServerError(
    'model_invalid',
    `${where}: ${name} is ${is}; it must be [${shape.join(', ')}] of F32, F16 or BF16`,
  )
}
