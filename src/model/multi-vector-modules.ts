/** sentence-transformers' MultiVectorEncoder, and PyLate's folders as it reads them. */
import { join } from 'node:path'
import { z } from 'zod'
import { ServerError } from '../errors.ts'
import { readJson } from './json-file.ts'
import type { PipelineLine, PipelineModule } from './pipeline-lines.ts'
import type { ModuleFiles } from './pipeline-modules.ts'
import { PYLATE_DENSE, className, readStep } from './pipeline-modules.ts'
import type { PylateConfig } from './reading-settings.ts'
import { isPylate } from './reading-settings.ts'
import type { EmbeddingStep } from './spec.ts'
import type { MaskSettings } from './token-rules.ts'
import { PUNCTUATION } from './token-rules.ts'

const MASK = 'MultiVectorMask'

/** By the names of their classes: what is read of their folders. */
export const MULTI_VECTOR_MODULES: Readonly<Record<string, ModuleFiles>> = { [MASK]: 'config' }

const MaskConfig = z.looseObject({
  skiplist_words: z.array(z.string()).nullish(),
  skiplist_tasks: z.union([z.string(), z.array(z.string())]).nullish(),
  keep_only_token_ids: z.array(z.int()).nullish(),
})

const Architectures = z.looseObject({ architectures: z.array(z.string()).nullish() })

/** What Stanford's ColBERT calls its models. */
export const STANFORD_ARCHITECTURE = 'HF_ColBERT'

/** What config_sentence_transformers.json says. */
export type MultiVectorConfig = PylateConfig & { readonly model_type?: string | null | undefined }

export interface MultiVectorLine {
  /** The Transformer's folder, relative to the model's. */
  readonly transformer: string
  readonly steps: readonly EmbeddingStep[]
  readonly mask: MaskSettings | undefined
}

/** Every Dense module stands behind every token, whatever its folder says: there is nothing else. */
const PER_TOKEN = { perToken: true } as const
const NORMALIZE: EmbeddingStep = { kind: 'normalize', ...PER_TOKEN }

/**
 * The modules of a multi-vector model; undefined where nothing says that the folder holds one. Throws `model_unsupported` for
 * modules that cannot stand there, `model_invalid` for a broken folder.
 */
export async function readMultiVector(
  lines: readonly PipelineLine[],
  config: MultiVectorConfig,
  model: string,
): Promise<MultiVectorLine | undefined> {
  const [line, another] = lines
  const [transformer, ...rest] = line?.modules ?? []
  if (transformer === undefined) return undefined
  const form = await formOf(transformer, rest, config)
  if (form === undefined) return undefined
  if (another !== undefined)
    throw new ServerError(
      'model_unsupported',
      `${model}: multi-vector models with a Router are not supported`,
    )
  const steps: EmbeddingStep[] = []
  for (const module of rest) steps.push(...(await readTokenStep(module)))
  if (form === 'native') return { transformer: transformer.path, steps, mask: await readMask(rest) }
  if (!steps.some(({ kind }) => kind === 'dense')) {
    throw new ServerError(
      'model_invalid',
      `${model}: there is no Dense module, which projects tokens to the vectors that are compared`,
    )
  }
  // What PyLate does by itself, later folders have modules for.
  return { transformer: transformer.path, steps: [...steps, NORMALIZE], mask: impliedMask(config, form) }
}

type Form = 'native' | 'pylate' | 'converted'

async function formOf(
  transformer: PipelineModule,
  rest: readonly PipelineModule[],
  config: MultiVectorConfig,
): Promise<Form | undefined> {
  const { model_type: type } = config
  if (type === 'MultiVectorEncoder') return 'native'
  if (type === 'ColBERT') return 'pylate'
  if (rest.some((module) => module.type === PYLATE_DENSE) || isPylate(config)) return 'converted'
  if (type && type !== 'SentenceTransformer') return undefined
  if (rest.some((module) => className(module.type) === MASK)) return 'native'
  const { architectures } = (await readJson(join(transformer.folder, 'config.json'), Architectures)) ?? {}
  return architectures?.includes(STANFORD_ARCHITECTURE) ? 'native' : undefined
}

/** One vector a text is made of nothing here: what would make it, or change it, has no part in it. */
async function readTokenStep({ type, folder, where }: PipelineModule): Promise<readonly EmbeddingStep[]> {
  const name = className(type)
  if (name === MASK) return []
  if (name === 'LayerNorm')
    throw new ServerError('model_unsupported', `${where}: a LayerNorm module cannot stand behind tokens`)
  const steps = await readStep(type, folder, where)
  return steps.flatMap((step): readonly EmbeddingStep[] => {
    if (step.kind === 'dense') return [{ ...step, ...PER_TOKEN }]
    const isOfTexts = step.kind === 'pooling' || (step.kind === 'normalize' && step.perToken !== true)
    return isOfTexts ? [] : [step]
  })
}

async function readMask(modules: readonly PipelineModule[]): Promise<MaskSettings | undefined> {
  const module = modules.find(({ type }) => className(type) === MASK)
  if (module === undefined) return undefined
  const config = await readJson(join(module.folder, 'config.json'), MaskConfig)
  if (config === undefined) throw new ServerError('model_invalid', `${module.where}: config.json is missing`)
  return {
    words: config.skiplist_words ?? [],
    tasks: [config.skiplist_tasks ?? 'document'].flat(),
    keptIds: config.keep_only_token_ids ?? undefined,
  }
}

function impliedMask(config: MultiVectorConfig, form: Form): MaskSettings {
  const hasPrefixes = Object.hasOwn(config, 'query_prefix') || Object.hasOwn(config, 'document_prefix')
  const usual = form === 'pylate' || hasPrefixes ? PUNCTUATION : []
  return { words: config.skiplist_words ?? usual, tasks: ['document'] }
}
