import { stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { z } from 'zod'
import { ServerError } from '../errors.ts'
import type { Adapters } from './adapters.ts'
import { readAdapters, readTaskFolders } from './adapters.ts'
import { isClassifier, isMaskedLanguageModel } from './architecture-kind.ts'
import { parseActivation } from './activation-name.ts'
import { openExported } from './exported-model.ts'
import type { ConfigJson } from './config-json.ts'
import { readConfig } from './config-json.ts'
import { readJson } from './json-file.ts'
import { readAskedReranker } from './lm-reranker.ts'
import type { Pipeline } from './modules-json.ts'
import { mediaLayout } from './media-layouts.ts'
import { readMediaModel } from './media-model.ts'
import { readLexicalHead } from './lexical-head.ts'
import { defaultPooling, readPipeline } from './modules-json.ts'
import { STANFORD_ARCHITECTURE } from './multi-vector-modules.ts'
import { PLAIN_SPLADE } from './sparse-modules.ts'
import { expectOwnLinks } from './snapshot-links.ts'
import type { WeightFile } from './safetensors.ts'
import { expectNoAdapter, openWeights } from './weight-files.ts'
import { readStaticEmbedding } from './static-embedding.ts'
import { PylateConfig } from './reading-settings.ts'
import type {
  Activation,
  Answers,
  EmbeddingStep,
  Head,
  LexicalHead,
  ModelSpec,
  RequestedDtype,
  TokenHead,
} from './spec.ts'
import { readTokenHead } from './token-head.ts'
import { readTokenModel } from './token-model.ts'
import { readTokenizerSpec } from './tokenizer-files.ts'
import { expectOutput } from './transformer-output.ts'

const SentenceTransformersConfig = PylateConfig.extend({
  // null is how the reference writes an empty prompt
  prompts: z.record(z.string(), z.string().nullable()).nullish(),
  default_prompt_name: z.string().nullish(),
  truncate_dim: z.int().positive().nullish(),
  activation_fn: z.string().nullish(),
  model_type: z.string().nullish(),
  similarity_fn_name: z.string().nullish(),
  max_active_dims: z.int().positive().nullish(),
})

/**
 * Reads all that a Hugging Face folder says, checked, without reading a weight. `name` is what errors call it; `dtype` chooses
 * among exported models, where the folder has no weights. Throws `model_invalid` (a file is missing, broken or contradicts
 * another) or `model_unsupported` (a format or module that we lack), naming the file.
 */
export async function openFolder(
  path: string,
  name = basename(resolve(path)),
  dtype: RequestedDtype = 'auto',
): Promise<ModelSpec> {
  const folder = resolve(path)
  const isFolder = await stat(folder).then(
    (stats) => stats.isDirectory(),
    () => false,
  )
  if (!isFolder) throw new ServerError('model_invalid', `${path} is not a folder`)

  await expectOwnLinks(folder, name)
  const declared = await readJson(
    join(folder, 'config_sentence_transformers.json'),
    SentenceTransformersConfig,
  )
  const pipeline = await readPipeline(folder, name, declared)
  const settings = (pipeline.hasModules && declared) || {}
  const shared = {
    name,
    prompts: readPrompts(settings, name),
    defaultPromptName: settings.default_prompt_name ?? undefined,
    truncateDimensions: settings.truncate_dim ?? undefined,
  }
  if (pipeline.isStatic === true) {
    const head: Head = { kind: 'embedding', steps: pipeline.steps ?? [] }
    return { ...shared, ...(await readStaticEmbedding(pipeline.transformer, name)), head }
  }
  // It need not have a config.json.
  await expectNoAdapter(pipeline.transformer)
  const config = await readConfig(pipeline.transformer, name)
  const layout = mediaLayout(config.model_type)
  if (layout !== undefined) {
    const { tensors, unusable } = await openWeights(pipeline.transformer)
    expectUsable(unusable, name)
    const { ownPrompts, ...sides } = await readMediaModel({ model: name, layout, pipeline, config, tensors })
    return { ...shared, prompts: { ...ownPrompts, ...shared.prompts }, tensors, ...sides }
  }
  const tokenizer = await readTokenizerSpec(pipeline.transformer, {
    model: name,
    config,
    useModuleConfig: pipeline.hasModules,
  })
  const readBody = () => readWeights(pipeline.transformer, name, dtype)
  const line = pipeline.multiVector
  if (line !== undefined || isStanfordColbert(pipeline, config)) {
    const body = await readBody()
    const tokenModel = await readTokenModel({
      model: name,
      transformer: pipeline.transformer,
      line: line && { ...line, steps: seenSteps(line.steps, config) },
      config,
      tokenizer,
      tensors: body.tensors,
      settings,
      prompts: shared.prompts,
    })
    // What is neither called a query nor a document is one; and vectors of tokens are cut by requests alone.
    const nothing = { defaultPromptName: undefined, truncateDimensions: undefined }
    return { ...shared, ...nothing, modelType: config.model_type, config, ...body, ...tokenModel }
  }
  const asked = await readAskedReranker({
    model: name,
    folder,
    transformer: pipeline.transformer,
    config,
    tokenizer,
    hasModules: pipeline.hasModules,
    scoring: pipeline.scoring,
    isCrossEncoder: declared?.model_type === 'CrossEncoder',
    instruction: shared.prompts[settings.default_prompt_name ?? ''],
  })
  const head: Head =
    isClassifier(config) || asked?.answers !== undefined
      ? readClassificationHead({
          config,
          moduleActivation: settings.activation_fn,
          answers: asked?.answers,
          model: name,
        })
      : readPipelineHead(pipeline, {
          config,
          maxActive: settings.max_active_dims,
          // it stands behind the one vector of a token, and routes may have several
          lexical: pipeline.routes === undefined ? await readLexicalHead(folder, config, name) : undefined,
          multiVector: pipeline.routes === undefined ? await readTokenHead(folder, config, name) : undefined,
          model: name,
        })
  if (pipeline.hasModules && head.kind !== 'classification')
    await expectOutput(pipeline.transformer, head.kind === 'sparse' ? 'logits' : 'hidden', name)
  const body = await readBody()
  const adapters =
    head.kind !== 'embedding' || body.exported !== undefined
      ? undefined
      : (readAdapters(config, body.tensors, name) ??
        (await readTaskFolders(pipeline.transformer, config, name)))
  return {
    ...shared,
    ...withAdapters(adapters, shared.prompts),
    modelType: config.model_type,
    config,
    ...body,
    head,
    tokenizer: asked?.pairPrompt === undefined ? tokenizer : { ...tokenizer, pairPrompt: asked.pairPrompt },
  }
}

/** Weights are asked of a masked language model only where its name says that it was made for that. */
const SPARSE_NAME = /splade|sparse/i

interface PipelineHeadOptions {
  readonly config: ConfigJson
  readonly maxActive: number | null | undefined
  readonly lexical: LexicalHead | undefined
  readonly multiVector: TokenHead | undefined
  readonly model: string
}

/** Of a model that makes vectors. */
function readPipelineHead(
  pipeline: Pipeline,
  { config, maxActive, lexical, multiVector, model }: PipelineHeadOptions,
): Head {
  const isPlainSplade = !pipeline.hasModules && isMaskedLanguageModel(config) && SPARSE_NAME.test(model)
  const sparse = isPlainSplade ? PLAIN_SPLADE : pipeline.sparse
  if (sparse !== undefined) return { ...sparse, ...(maxActive && { maxActive }) }
  const { steps, routes } = pipeline
  return {
    kind: 'embedding',
    steps: seenSteps(steps, config) ?? [defaultPooling(config)],
    ...(lexical && { lexical }),
    ...(multiVector && { multiVector }),
    ...(routes && { routes: routes.map((route) => ({ ...route, steps: seenSteps(route.steps, config) })) }),
  }
}

/** A pooling of layers leaves tokens as they are unless config.json has the Transformer show its layers (sentence-transformers 6.2). */
function seenSteps<S extends readonly EmbeddingStep[] | undefined>(steps: S, config: ConfigJson): S {
  if (steps === undefined || config.output_hidden_states === true) return steps
  return steps.filter(({ kind }) => kind !== 'layers') as unknown as S
}

function isStanfordColbert({ hasModules }: Pipeline, { architectures }: ConfigJson): boolean {
  return !hasModules && (architectures?.includes(STANFORD_ARCHITECTURE) ?? false)
}

/** The prompts of sentence-transformers' own file come before those that config.json has for the adapters' tasks. */
function withAdapters(
  adapters: Adapters | undefined,
  prompts: ModelSpec['prompts'],
): Pick<ModelSpec, 'adapters' | 'adapterParts' | 'prompts'> {
  if (adapters === undefined) return { prompts }
  const others = Object.entries(adapters.prompts).filter(([name]) => !Object.hasOwn(prompts, name))
  const { names, parts } = adapters
  return {
    adapters: names,
    ...(parts && { adapterParts: parts }),
    prompts: { ...prompts, ...Object.fromEntries(others) },
  }
}

async function readWeights(
  folder: string,
  model: string,
  dtype: RequestedDtype,
): Promise<Pick<ModelSpec, 'tensors' | 'exported'>> {
  const exported = await openExported(folder, model, dtype)
  if (exported !== undefined) return { tensors: {}, exported }
  const { tensors, unusable } = await openWeights(folder)
  expectUsable(unusable, model)
  return { tensors }
}

/** Buffers such as `position_ids` may be integers; a weight may not. */
function expectUsable(unusable: WeightFile['unusable'], model: string): void {
  for (const [tensor, { dtype }] of Object.entries(unusable)) {
    if (!/\.(weight|bias|gamma|beta|weight_scale(_inv)?)$/.test(tensor)) continue
    throw new ServerError(
      'model_unsupported',
      `${model}: tensor ${tensor} is ${dtype}; supported are F32, F16, BF16, and I8 or F8_E4M3 with scales`,
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

interface ClassifierFacts {
  readonly config: ConfigJson
  readonly moduleActivation: string | null | undefined
  /** Of a language model, whose answer is its one score. */
  readonly answers: Answers | undefined
  readonly model: string
}

/** Where the labels and the activation come from: sentence-transformers 6.2, CrossEncoder. */
function readClassificationHead({ config, moduleActivation, answers, model }: ClassifierFacts): Head {
  const names = config.id2label ?? {}
  const count = answers === undefined ? Object.keys(names).length || (config.num_labels ?? 2) : 1
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
    ...(answers && { answers }),
  }
}

/** transformers 5.23, pipelines/text_classification.py: a classifier's scores are probabilities, of each label or of all. */
function fallbackActivation({ problem_type }: ConfigJson, labelCount: number): Activation {
  return labelCount === 1 || problem_type === 'multi_label_classification' ? 'sigmoid' : 'softmax'
}
