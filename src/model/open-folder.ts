import { stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { z } from 'zod'
import { ServerError } from '../errors.ts'
import { parseActivation } from './activation-name.ts'
import type { ConfigJson } from './config-json.ts'
import { readConfig } from './config-json.ts'
import { readJson } from './json-file.ts'
import { readPipeline } from './modules-json.ts'
import { openWeights } from './weight-files.ts'
import type { Activation, Head, ModelSpec } from './spec.ts'
import { readTokenizerSpec } from './tokenizer-files.ts'

const SentenceTransformersConfig = z.looseObject({
  // null is how the reference writes an empty prompt
  prompts: z.record(z.string(), z.string().nullable()).nullish(),
  default_prompt_name: z.string().nullish(),
  truncate_dim: z.int().positive().nullish(),
  activation_fn: z.string().nullish(),
})

/**
 * Reads all that a Hugging Face folder says, checked, without reading a weight. `name` is what errors call it. Throws `model_invalid` (a file is
 * missing, broken or contradicts another) or `model_unsupported` (a format or module that we lack), naming the file.
 */
export async function openFolder(path: string, name = basename(resolve(path))): Promise<ModelSpec> {
  const folder = resolve(path)
  const isFolder = await stat(folder).then(
    (stats) => stats.isDirectory(),
    () => false,
  )
  if (!isFolder) throw new ServerError('model_invalid', `${path} is not a folder`)

  const pipeline = await readPipeline(folder, name)
  const settings = pipeline.hasModules
    ? ((await readJson(join(folder, 'config_sentence_transformers.json'), SentenceTransformersConfig)) ?? {})
    : {}
  const config = await readConfig(pipeline.transformer, name)
  const isClassifier =
    config.architectures?.some((architecture) => architecture.endsWith('ForSequenceClassification')) ?? false
  const head: Head = isClassifier
    ? readClassificationHead(config, settings.activation_fn, name)
    : { kind: 'embedding', steps: pipeline.steps }
  const prompts = readPrompts(settings, name)
  const { tensors, unusable } = await openWeights(pipeline.transformer)
  expectUsable(unusable, name)
  return {
    name,
    modelType: config.model_type,
    config,
    tensors,
    head,
    tokenizer: await readTokenizerSpec(pipeline.transformer, {
      model: name,
      maxPositions: config.max_position_embeddings ?? undefined,
      useModuleConfig: pipeline.hasModules,
    }),
    prompts,
    defaultPromptName: settings.default_prompt_name ?? undefined,
    truncateDimensions: settings.truncate_dim ?? undefined,
  }
}

/** Buffers such as `position_ids` may be integers; a weight may not. */
function expectUsable(unusable: Readonly<Record<string, string>>, model: string): void {
  for (const [tensor, dtype] of Object.entries(unusable)) {
    if (!/\.(weight|bias|gamma|beta)$/.test(tensor)) continue
    throw new ServerError(
      'model_unsupported',
      `${model}: tensor ${tensor} is ${dtype}; supported are F32, F16, BF16 and I8 with scales`,
    )
  }
}

/** Prompts that every embedding model has: empty ones, unless its files say otherwise (sentence-transformers 6.2). */
const ALWAYS_PRESENT = { query: '', document: '' }

function readPrompts(
  settings: z.infer<typeof SentenceTransformersConfig>,
  model: string,
): Record<string, string> {
  const own = Object.entries(settings.prompts ?? {}).map(([name, text]) => [name, text ?? ''])
  const prompts: Record<string, string> = { ...ALWAYS_PRESENT, ...Object.fromEntries(own) }
  const chosen = settings.default_prompt_name
  if (typeof chosen === 'string' && !Object.hasOwn(prompts, chosen)) {
    const names = Object.keys(prompts).join(', ')
    throw new ServerError(
      'model_invalid',
      `${model}: default_prompt_name "${chosen}" is not one of its prompts: ${names}`,
    )
  }
  return prompts
}

/** Where the labels and the activation come from: sentence-transformers 6.2, CrossEncoder. */
function readClassificationHead(
  config: ConfigJson,
  moduleActivation: string | null | undefined,
  model: string,
): Head {
  const names = config.id2label ?? {}
  const count = Object.keys(names).length || (config.num_labels ?? 2)
  const labels = Array.from({ length: count }, (_, index) => names[index] ?? `LABEL_${index}`)
  const paths = [
    moduleActivation,
    config.sentence_transformers?.activation_fn,
    config.sbert_ce_default_activation_function,
  ]
  // Code of other packages is not run, here or in the reference: the next place is asked.
  const path = paths.find((candidate) => candidate?.startsWith('torch.')) ?? ''
  return {
    kind: 'classification',
    labels,
    activation: parseActivation(path, fallbackActivation(config, count), model),
  }
}

/** transformers 5.23, pipelines/text_classification.py: a classifier's scores are probabilities, of each label or of all. */
function fallbackActivation({ problem_type }: ConfigJson, labelCount: number): Activation {
  return labelCount === 1 || problem_type === 'multi_label_classification' ? 'sigmoid' : 'softmax'
}
