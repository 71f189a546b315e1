import { ServerError } from '../errors.ts'
import type { ModelSpec } from '../model/spec.ts'
import { buildExported } from './build-exported.ts'
import { GraphBuilder } from './builder.ts'
import { checkGraph } from './check.ts'
import { ConfigReader } from './config-reader.ts'
import type { CompiledGraph } from './contract.ts'
import { OUTPUT, TOKENS } from './contract.ts'
import type { Family } from './families/family.ts'
import { findFamily } from './families/registry.ts'
import type { ClassifierPlan } from './heads/classifier.ts'
import { buildClassifier } from './heads/classifier.ts'
import type { EmbeddingShop } from './heads/embedding.ts'
import { buildEmbeddingHead } from './heads/embedding.ts'
import type { HeadOutputs } from './heads/head-outputs.ts'
import { buildMultiVector, unseenIdOf } from './heads/multi-vector.ts'
import type { LanguageHeadPlan } from './heads/sparse.ts'
import { buildSparse } from './heads/sparse.ts'
import { withoutSteps } from './heads/step-tensors.ts'
import { OUTPUT_TENSOR, buildAnswers } from './heads/yes-no.ts'
import type { Value } from './ir.ts'
import type { EncoderPlan } from './layers/encoder-plan.ts'
import type { Workshop } from './layers/encoder.ts'
import { buildEncoder } from './layers/encoder.ts'
import type { Target, TargetName } from './target.ts'
import { TARGETS } from './target.ts'
import { TensorTable } from './tensor-table.ts'

/**
 * Compiles a model for a target. Pure: no weight is read. Throws `model_unsupported` (family or setting unknown),
 * `model_invalid` (tensor missing, unknown, or of the wrong shape) or `graph_invalid` (our own mistake).
 */
export function buildGraph(spec: ModelSpec, target: TargetName): CompiledGraph {
  if (spec.exported !== undefined) return buildExported(spec, spec.exported, target)
  return compile(spec, TARGETS[target])
}

/** With any kernels. `tokensOf`: what is in place of the tokens' vectors, of the finished graph. */
export function compile(
  spec: ModelSpec,
  { kernels, headKernels }: Pick<Target, 'kernels' | 'headKernels'>,
  tokensOf?: (b: GraphBuilder) => Value,
): CompiledGraph {
  const family = findFamily(spec)
  const config = new ConfigReader(spec.name, spec.config)
  const plan = family.plan(config)
  const tensors = new TensorTable(spec, family, plan.adapters)
  const b = new GraphBuilder()

  const unseenId = unseenIdOf(spec.head)
  if (unseenId !== undefined) expectHideable(spec, plan)
  const shop = { b, tensors, kernels, headKernels, hidesUnseen: unseenId !== undefined }
  const layers: Value[] = []
  const states = buildEncoder(shop, plan, (layer) => layers.push(layer))
  const lastRows = plan.endId === undefined ? 'last_rows' : 'end_rows'
  const headShop = { ...shop, layers, lastRows, kernels: headKernels } as const
  const head = buildHead(headShop, states, { spec, family, config, plan })
  const { output, vectorWidth, padId } = head
  const tokens = tokensOf === undefined ? head.tokens : tokensOf(b)
  const unused = tensors.unused(family.body, family.ignored)
  const graph = b.finish({ [OUTPUT]: output, ...(tokens && { [TOKENS]: tokens }) })
  checkGraph(graph)
  return {
    graph,
    inputs: b.roles,
    padId: plan.embeddings.positions?.padId ?? padId,
    endId: b.roles.includes('end_rows') ? plan.endId : undefined,
    unseenId,
    adapterCount: b.roles.includes('adapters')
      ? (spec.adapterParts?.length ?? plan.adapters?.count)
      : undefined,
    lengthStep: b.lengthStep,
    window: widestWindow(plan),
    outputWidth: output.shape[1] as number,
    vectorWidth,
    tokenWidth: (tokens?.shape[1] as number | undefined) ?? 0,
    maxTokens: plan.maxTokens,
    vocabularySize: plan.vocabularySize,
    unusedTensors:
      spec.head.kind === 'embedding' ? withoutSteps(unused, spec.tensors, spec.head.steps) : unused,
    isSparse: spec.head.kind === 'sparse',
  }
}

/** Pieces that hold what the layer with the widest window sees hold what the others see. */
function widestWindow({ layers }: EncoderPlan): number | undefined {
  const windows = layers.flatMap(({ attention }) => attention.window ?? [])
  return windows.length === 0 ? undefined : Math.max(...windows)
}

/** Throws `model_unsupported` for bodies that would treat tokens that nobody sees otherwise in their embeddings, too. */
function expectHideable({ name, modelType }: ModelSpec, plan: EncoderPlan): void {
  const masksEmbeddings = plan.layers.some(({ attention: { bias } }) => bias?.kind === 'disentangled')
  if (!masksEmbeddings) return
  throw new ServerError(
    'model_unsupported',
    `${name}: queries are filled up with tokens that are not attended to, which models of model_type "${modelType}" are not supported with`,
  )
}

interface HeadContext {
  readonly spec: ModelSpec
  readonly family: Family
  readonly config: ConfigReader
  readonly plan: EncoderPlan
}

function buildHead(
  shop: Workshop & EmbeddingShop,
  states: Value,
  { spec, family, config, plan }: HeadContext,
): HeadOutputs {
  const { head } = spec
  if (head.kind === 'embedding') return buildEmbeddingHead(shop, states, head)
  if (head.kind === 'multi_vector') return buildMultiVector(shop, states, head)
  if (head.kind === 'sparse') {
    const languageHead = languageHeadOf(family, spec, config)
    return buildSparse(shop, states, { plan: languageHead, body: plan, head })
  }
  const { labels, activation, answers } = head
  if (answers === undefined) {
    const classifier = classifierOf(family, spec, config)
    return buildClassifier(shop, states, { plan: classifier, labelCount: labels.length, activation })
  }
  const hasOutputMatrix = Object.hasOwn(spec.tensors, OUTPUT_TENSOR)
  return buildAnswers(shop, states, { plan, config, answers, activation, hasOutputMatrix })
}

function languageHeadOf(
  { languageHead }: Family,
  { name, modelType }: ModelSpec,
  config: ConfigReader,
): LanguageHeadPlan {
  if (languageHead !== undefined) return languageHead(config)
  throw new ServerError(
    'model_unsupported',
    `${name}: sparse models of model_type "${modelType}" are not supported`,
  )
}

function classifierOf(
  { classifier }: Family,
  { name, modelType }: ModelSpec,
  config: ConfigReader,
): ClassifierPlan {
  if (classifier !== undefined) return classifier(config)
  throw new ServerError(
    'model_unsupported',
    `${name}: classifiers of model_type "${modelType}" are not supported`,
  )
}
