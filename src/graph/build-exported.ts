/** The graph behind a model that others exported: what a graph of ours does behind the encoder, with the same heads. */
import { ServerError } from '../errors.ts'
import type { ExportedModel } from '../model/exported-spec.ts'
import type { EmbeddingStep, Head, ModelSpec } from '../model/spec.ts'
import { GraphBuilder } from './builder.ts'
import { checkGraph } from './check.ts'
import { ConfigReader } from './config-reader.ts'
import type { CompiledGraph } from './contract.ts'
import { OUTPUT, TOKENS } from './contract.ts'
import type { FoundBody } from './exported-body.ts'
import { countsFromPadding, planBody, statesOf } from './exported-body.ts'
import { scoresOf } from './heads/classifier.ts'
import { buildEmbeddingHead } from './heads/embedding.ts'
import type { HeadOutputs } from './heads/head-outputs.ts'
import { buildMultiVector, unseenIdOf } from './heads/multi-vector.ts'
import type { PoolingShop } from './heads/pooling.ts'
import type { Value } from './ir.ts'
import type { TargetName } from './target.ts'
import { TARGETS } from './target.ts'

/** Throws what `buildGraph` throws, and `model_unsupported` for heads that need more than an exported model tells. */
export function buildExported(spec: ModelSpec, exported: ExportedModel, target: TargetName): CompiledGraph {
  expectKnownHead(spec, exported)
  const config = new ConfigReader(spec.name, spec.config)
  const vocabularySize = config.int('vocab_size')
  const padId = padIdOf(spec, vocabularySize)
  const body = planBody(spec, exported)
  const b = new GraphBuilder()
  const shop = { b, kernels: TARGETS[target].headKernels }
  const { output, vectorWidth, tokens } = buildHead(shop, body, spec, exported)
  const graph = b.finish({ [OUTPUT]: output, ...(tokens && { [TOKENS]: tokens }) })
  checkGraph(graph)
  const { inputs, output: states } = body
  return {
    graph,
    body: { inputs, output: states },
    inputs: [...new Set([...b.roles, ...inputs.map(({ role }) => role)])],
    padId,
    unseenId: unseenIdOf(spec.head),
    lengthStep: b.lengthStep,
    outputWidth: output.shape[1] as number,
    vectorWidth,
    tokenWidth: (tokens?.shape[1] as number | undefined) ?? 0,
    maxTokens: mostTokens(spec, config, padId),
    vocabularySize,
    unusedTensors: [],
    isSparse: false,
  }
}

/** Throws `model_unsupported` for what no output of an exported model is enough for. */
function expectKnownHead({ head, name }: ModelSpec, exported: ExportedModel): void {
  const steps = head.kind === 'embedding' || head.kind === 'multi_vector' ? stepsOf(head) : []
  const needy = [
    { what: 'a sparse model', is: head.kind === 'sparse' },
    { what: 'a reranker that is asked', is: head.kind === 'classification' && head.answers !== undefined },
    { what: 'an average of layers', is: steps.some(({ kind }) => kind === 'layers') },
  ].find(({ is }) => is)
  if (needy !== undefined) throw needsWeights(name, needy.what, exported)
}

function needsWeights(model: string, what: string, { name }: ExportedModel): ServerError {
  return new ServerError(
    'model_unsupported',
    `${model}: ${what} is supported with weights (model.safetensors) only; there is ${name}`,
  )
}

function stepsOf(head: Extract<Head, { kind: 'embedding' | 'multi_vector' }>): readonly EmbeddingStep[] {
  const { routes = [] } = head.kind === 'embedding' ? head : {}
  return [...head.steps, ...routes.flatMap(({ steps }) => steps)]
}

function buildHead(
  shop: PoolingShop,
  body: FoundBody,
  { head, name }: ModelSpec,
  exported: ExportedModel,
): HeadOutputs {
  const { b } = shop
  const states = b.given(statesOf(body))
  if (head.kind === 'classification') return scoresOf(b, states, head.activation)
  if (body.kind === 'vectors') {
    const what = beyondVectors(head)
    if (what !== undefined) throw needsWeights(name, what, exported)
    return buildReady(shop, states, head)
  }
  const packed = b.gather(b.reshape(states, ['B*S', states.shape[2] as number]), b.input('packed_rows'))
  if (head.kind === 'embedding') return buildEmbeddingHead(shop, packed, head)
  if (head.kind === 'multi_vector') return buildMultiVector(shop, packed, head)
  throw needsWeights(name, 'a sparse model', exported)
}

/** What a vector for each text is not enough for. */
function beyondVectors(head: Head): string | undefined {
  if (head.kind !== 'embedding') return 'a model that compares tokens'
  const { steps, routes, lexical, multiVector } = head
  if (routes !== undefined) return 'a choice of pipelines'
  if (lexical !== undefined || multiVector !== undefined) return 'a model that gives something for each token'
  const skipsPrompt = steps.some((step) => step.kind === 'pooling' && !step.includePrompt)
  return skipsPrompt ? 'a pooling without the prompt' : undefined
}

/** Vectors that went through all modules in the exported model; what is left to do is to say their length. */
function buildReady({ b, kernels }: PoolingShop, states: Value, head: Head): HeadOutputs {
  const vectorWidth = states.shape[1] as number
  const vectors = b.reshape(states, ['B', vectorWidth])
  const isNormalized = head.kind === 'embedding' && head.steps.at(-1)?.kind === 'normalize'
  if (!isNormalized) return { output: vectors, vectorWidth, tokens: undefined }
  const unit = kernels.unit(b, vectors)
  return { output: b.concat([unit.vectors, unit.lengths], 1), vectorWidth, tokens: undefined }
}

/** What stands past the end of a row: no token sees it, and it must be one of the vocabulary. */
function padIdOf({ config }: ModelSpec, vocabularySize: number): number | undefined {
  const id = config['pad_token_id']
  return typeof id === 'number' && Number.isInteger(id) && id >= 0 && id < vocabularySize ? id : undefined
}

/** As many as there are positions, where config.json says it: the tokenizer may have a limit of its own. */
function mostTokens({ modelType }: ModelSpec, config: ConfigReader, padId: number | undefined): number {
  if (!config.has('max_position_embeddings')) return Infinity
  const positions = config.int('max_position_embeddings')
  return countsFromPadding(modelType) ? positions - (padId ?? 1) - 1 : positions
}
