/** sentence-transformers' SparseEncoder: a masked language model with SpladePooling, and fixed weights for queries. */
import { join } from 'node:path'
import { z } from 'zod'
import { ServerError } from '../errors.ts'
import { readJson } from './json-file.ts'
import type { PipelineLine } from './pipeline-lines.ts'
import type { ModuleFiles } from './pipeline-modules.ts'
import { className } from './pipeline-modules.ts'
import { readNumbers } from './read-numbers.ts'
import type { FixedWeights, SparseHead } from './spec.ts'
import { openWeights } from './weight-files.ts'

const POOLING = 'SpladePooling'
const FIXED = 'SparseStaticEmbedding'

/** By the names of their classes: what is read of their folders. */
export const SPARSE_MODULES: Readonly<Record<string, ModuleFiles>> = {
  [POOLING]: 'config',
  [FIXED]: 'config-and-weights',
}

const SpladeConfig = z.looseObject({
  pooling_strategy: z.enum(['max', 'sum']).nullish(),
  activation_function: z.enum(['relu', 'log1p_relu']).nullish(),
})

/** How SparseEncoder reads a folder that has no modules of its own. */
export const PLAIN_SPLADE: SparseHead = { kind: 'sparse', pooling: 'max', logarithms: 1 }

export interface SparseLine {
  /** Its folder, relative to the model's. */
  readonly transformer: string
  readonly head: SparseHead
}

/**
 * The head of a sparse model; undefined where no line has SpladePooling. Throws `model_unsupported` for modules that stand
 * beside it, `model_invalid` for a broken folder.
 */
export async function readSparse(
  lines: readonly PipelineLine[],
  model: string,
): Promise<SparseLine | undefined> {
  const main = lines.find(({ modules }) => modules.some(({ type }) => className(type) === POOLING))
  if (main === undefined) return undefined
  const [transformer, pooling, ...rest] = main.modules
  if (
    transformer === undefined ||
    pooling === undefined ||
    className(pooling.type) !== POOLING ||
    rest.length > 0
  ) {
    const names = main.modules.map(({ type }) => className(type)).join(', ')
    throw new ServerError(
      'model_unsupported',
      `${model}: its modules are ${names}; of sparse models supported are a Transformer and SpladePooling`,
    )
  }
  const config = await readJson(join(pooling.folder, 'config.json'), SpladeConfig)
  if (config === undefined) throw new ServerError('model_invalid', `${pooling.where}: config.json is missing`)
  const fixed = await readFixed(lines, main, model)
  const head: SparseHead = {
    kind: 'sparse',
    pooling: config.pooling_strategy ?? 'max',
    logarithms: config.activation_function === 'log1p_relu' ? 2 : 1,
    ...(fixed && { fixed }),
  }
  return { transformer: transformer.path, head }
}

async function readFixed(
  lines: readonly PipelineLine[],
  main: PipelineLine,
  model: string,
): Promise<FixedWeights | undefined> {
  const [line, another] = lines.filter((other) => other !== main)
  if (line === undefined) return undefined
  const [module, ...rest] = line.modules
  if (module === undefined || className(module.type) !== FIXED || rest.length > 0 || another !== undefined) {
    throw new ServerError(
      'model_unsupported',
      `${model}: a route of ${line.modules.map(({ type }) => type).join(', ')} is not supported beside SpladePooling; supported is ${FIXED}`,
    )
  }
  const { tensors } = await openWeights(module.folder)
  const weight = tensors['weight']
  if (weight === undefined || weight.shape.length !== 1)
    throw new ServerError('model_invalid', `${module.where}: there is no vector weight`)
  const isDefault = lines[0] === line
  return {
    tasks: line.tasks,
    otherTasks: main.tasks,
    isDefault,
    weights: Float32Array.from(await readNumbers(weight, `${module.where}: tensor weight`)),
  }
}
