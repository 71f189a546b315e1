/** sentence-transformers' pipeline: modules.json and the folders that it names. */
import { join } from 'node:path'
import { z } from 'zod'
import { ServerError } from '../errors.ts'
import { isLanguageModel } from './architecture-kind.ts'
import type { ConfigJson } from './config-json.ts'
import { parseJson, readJson } from './json-file.ts'
import { LOGIT_SCORE, readLogitScore } from './logit-score.ts'
import type { MultiVectorConfig, MultiVectorLine } from './multi-vector-modules.ts'
import { MULTI_VECTOR_MODULES, readMultiVector } from './multi-vector-modules.ts'
import type { ModuleFiles } from './pipeline-modules.ts'
import { STEP_MODULES, className, readStep } from './pipeline-modules.ts'
import { ROUTERS, inside, readLines } from './pipeline-lines.ts'
import type { RouterModule } from './router-json.ts'
import { SPARSE_MODULES, readSparse } from './sparse-modules.ts'
import type { Answers, EmbeddingStep, PoolingStep, Route, SparseHead } from './spec.ts'

const Module = z.looseObject({ name: z.string().nullish(), path: z.string(), type: z.string() })

// sentence-transformers keeps modules by name: of two with one, the second would stand in the place of the first
const ModulesJson = z.array(Module).superRefine((modules, context) => {
  const names = modules.map(({ name }) => name ?? undefined)
  const index = names.findIndex((name, i) => name !== undefined && names.indexOf(name) < i)
  if (index >= 0)
    context.addIssue({
      code: 'custom',
      path: [index, 'name'],
      message: `${names[index]} is another module's name`,
    })
})

/** What a folder without modules.json is read with: a language model at its last token, any other as an average. */
export function defaultPooling(config: Pick<ConfigJson, 'architectures'>): PoolingStep {
  return { kind: 'pooling', modes: [isLanguageModel(config) ? 'lasttoken' : 'mean'], includePrompt: true }
}

const MEAN: PoolingStep = { kind: 'pooling', modes: ['mean'], includePrompt: true }

export interface Pipeline {
  /** Whether the folder has a modules.json: without one, sentence-transformers ignores its other own files too. */
  readonly hasModules: boolean
  /** Folder of the Transformer module: where config.json and the weights are. */
  readonly transformer: string
  /** It is a StaticEmbedding module's instead. */
  readonly isStatic?: boolean
  /** Undefined without modules.json. */
  readonly steps: readonly EmbeddingStep[] | undefined
  /** Of a model with a Router. */
  readonly routes?: readonly Route[]
  /** Of a sparse model, instead of steps. */
  readonly sparse?: SparseHead
  /** Of a multi-vector model, instead of steps. */
  readonly multiVector?: MultiVectorLine
  /** Of a language model that reranks: its LogitScore module. */
  readonly scoring?: Answers
}

/** A module's folder, relative to the model's, and what of it is read. */
export interface ModuleFolder {
  readonly path: string
  readonly kind: 'transformer' | 'static' | 'router' | ModuleFiles
}

/** The folders that a modules.json, given as text, speaks of. Throws `model_invalid`. */
export function moduleFolders(text: string, name: string): readonly ModuleFolder[] {
  return parseJson(text, ModulesJson, name).map(moduleFolder)
}

export function moduleFolder({ path, type }: RouterModule): ModuleFolder {
  const name = className(type)
  if (TRANSFORMERS.has(name)) return { path, kind: 'transformer' }
  if (name === STATIC) return { path, kind: 'static' }
  if (ROUTERS.has(name)) return { path, kind: 'router' }
  if (name === LOGIT_SCORE) return { path, kind: 'config' }
  const others = { ...SPARSE_MODULES, ...MULTI_VECTOR_MODULES }
  if (Object.hasOwn(others, name)) return { path, kind: others[name] ?? 'nothing' }
  return {
    path,
    kind: Object.hasOwn(STEP_MODULES, name) ? (STEP_MODULES[name]?.files ?? 'nothing') : 'nothing',
  }
}

/** The second is what older sparse models call it, the third what older models of pictures do. */
const TRANSFORMERS: ReadonlySet<string> = new Set(['Transformer', 'MLMTransformer', 'CLIPModel'])
const STATIC = 'StaticEmbedding'

/**
 * A folder without modules.json is a Transformer alone. `declared`: what config_sentence_transformers.json says. Throws
 * `model_unsupported` for a module that we lack, or for routes that do not begin with one and the same Transformer.
 */
export async function readPipeline(
  folder: string,
  model: string,
  declared: MultiVectorConfig = {},
): Promise<Pipeline> {
  const modules = await readJson(join(folder, 'modules.json'), ModulesJson)
  if (modules === undefined) return { hasModules: false, transformer: folder, steps: undefined }
  const [head, score] = modules
  if (
    modules.length === 2 &&
    head !== undefined &&
    score !== undefined &&
    className(score.type) === LOGIT_SCORE
  ) {
    expectTransformer(modules, head, model)
    const scoring = await readLogitScore(inside(folder, score.path, model), `${model}/${score.path}`)
    return { hasModules: true, transformer: inside(folder, head.path, model), steps: undefined, scoring }
  }
  const lines = await readLines(modules, folder, model)
  const sparse = await readSparse(lines, model)
  if (sparse !== undefined) {
    const { transformer, head: given } = sparse
    return {
      hasModules: true,
      transformer: inside(folder, transformer, model),
      steps: undefined,
      sparse: given,
    }
  }
  const multiVector = await readMultiVector(lines, declared, model)
  if (multiVector !== undefined) {
    const [head] = lines[0]?.modules ?? []
    expectTransformer(lines[0]?.modules ?? [], head, model)
    const transformer = inside(folder, multiVector.transformer, model)
    return { hasModules: true, transformer, steps: undefined, multiVector }
  }
  const [first] = lines[0]?.modules ?? []
  for (const line of lines) expectTransformer(line.modules, first, model)
  const isStatic = className(first?.type ?? '') === STATIC
  // Which averages by itself.
  const opening = isStatic ? [MEAN] : []
  const routes: Route[] = []
  for (const { tasks, modules: line } of lines) {
    const steps = await Promise.all(
      line.slice(1).map((module) => readStep(module.type, module.folder, module.where)),
    )
    routes.push({ tasks, steps: [...opening, ...steps.flat()] })
  }
  return {
    hasModules: true,
    transformer: inside(folder, first?.path ?? '', model),
    ...(isStatic && { isStatic }),
    steps: routes[0]?.steps,
    ...(routes.length > 1 && { routes }),
  }
}

function expectTransformer(
  [head]: readonly RouterModule[],
  first: RouterModule | undefined,
  model: string,
): void {
  const name = className(head?.type ?? '')
  if (head === undefined || !(TRANSFORMERS.has(name) || name === STATIC)) {
    const is = head?.type ?? 'missing'
    throw new ServerError(
      'model_unsupported',
      `${model}: the first module is ${is}; supported are Transformer and ${STATIC}`,
    )
  }
  if (head.path === first?.path) return
  throw new ServerError(
    'model_unsupported',
    `${model}: its routes have Transformers of their own, ${first?.path} and ${head.path}; supported are routes that share one`,
  )
}
