/** sentence-transformers' module pipeline after the Transformer, in float32 and inside the graph. */
import { ServerError } from '../../errors.ts'
import type {
  DenseStep,
  EmbeddingStep,
  Head,
  LayerNormStep,
  LayersStep,
  LexicalHead,
  PoolingStep,
  Route,
  TokenHead,
} from '../../model/spec.ts'
import type { GraphBuilder } from '../builder.ts'
import type { Value } from '../ir.ts'
import type { HeadOutputs } from './head-outputs.ts'
import { activate } from '../layers/activation.ts'
import { vectorPart } from '../matrix.ts'
import type { PoolingShop } from './pooling.ts'
import { pool } from './pooling.ts'

export interface EmbeddingShop extends PoolingShop {
  /** What the embeddings and each layer make of the tokens: [T, H] each, the last one the encoder's own output. */
  readonly layers?: readonly Value[]
}

/** Vectors [B, H] float32 that a tower pooled itself, through what stands behind them; without tokens. */
export function finishVectors(
  shop: EmbeddingShop,
  pooled: Value,
  steps: readonly EmbeddingStep[],
): HeadOutputs {
  return { ...buildEmbedding(shop, pooled, steps, pooled), tokens: undefined }
}

/**
 * Hidden states [T, H] to one vector a row, unless they are pooled already; where the last step normalizes, the length that it divided by stands behind
 * the vector. Throws `model_invalid` where two steps do not fit.
 */
export function buildEmbedding(
  shop: EmbeddingShop,
  states: Value,
  steps: readonly EmbeddingStep[],
  pooled?: Value,
): HeadOutputs {
  const { b, kernels } = shop
  let tokens = b.cast(states, 'f32')
  let vectors = pooled
  let norms: Value | undefined
  for (const [index, step] of steps.entries()) {
    if (step.kind === 'pooling') vectors = poolAll(shop, tokens, step)
    else if (step.kind === 'layers') tokens = averageLayers(shop, step)
    else if (step.kind === 'dense' && step.perToken) tokens = dense(b, tokens, step)
    else if (step.kind === 'normalize' && step.perToken) tokens = kernels.unit(b, tokens).vectors
    else if (vectors === undefined) {
      throw new ServerError('model_invalid', `a ${step.kind} module stands before Pooling`)
    } else if (step.kind === 'dense') vectors = dense(b, vectors, step)
    else if (step.kind === 'layer_norm') vectors = layerNorm(b, vectors, step)
    else {
      const unit = kernels.unit(b, vectors)
      // With it a client can have the vector as it was before normalization.
      if (index === steps.length - 1) norms = unit.lengths
      vectors = unit.vectors
    }
  }
  if (vectors === undefined) throw new ServerError('model_invalid', 'the module pipeline has no Pooling')
  const output = norms === undefined ? vectors : b.concat([vectors, norms], 1)
  return { output, vectorWidth: vectors.shape[1] as number, tokens }
}

type EmbeddingHead = Extract<Head, { kind: 'embedding' }>

/**
 * One vector a row, or one for each route, side by side: the pipelines behind one Transformer are small, so a row goes
 * through all of them and the engine takes the part that is asked for. Throws `model_unsupported` where routes make vectors
 * of different kinds,
 * or of different tokens.
 */
export function buildEmbeddingHead(
  shop: EmbeddingShop,
  states: Value,
  { steps, routes = [], lexical, multiVector }: EmbeddingHead,
): HeadOutputs {
  if (routes.length === 0) {
    const made = buildEmbedding(shop, states, steps)
    return lexical || multiVector ? extendTokens(shop, states, { made, lexical, multiVector }) : made
  }
  expectSameTokens(routes)
  const made = routes.map(({ steps }) => buildEmbedding(shop, states, steps))
  const [first, ...others] = made as [HeadOutputs, ...HeadOutputs[]]
  for (const [index, { output, vectorWidth }] of others.entries()) {
    if (output.shape[1] === first.output.shape[1] && vectorWidth === first.vectorWidth) continue
    const [a, z] = [nameOf(routes[0]), nameOf(routes[index + 1])]
    throw new ServerError(
      'model_unsupported',
      `route ${a} makes vectors of ${first.vectorWidth} numbers and ${z} of ${vectorWidth}; all or none must be normalized and as long`,
    )
  }
  const output = shop.b.concat(
    made.map((route) => route.output),
    1,
  )
  return { output, vectorWidth: first.vectorWidth, tokens: first.tokens }
}

/** Which tokens of a row are pooled, and what its tokens are, is one thing for all routes. */
function expectSameTokens(routes: readonly Route[]): void {
  const [first, ...others] = routes
  for (const route of others) {
    const names = `routes ${nameOf(first)} and ${nameOf(route)}`
    if (poolsPrompt(first) !== poolsPrompt(route))
      throw new ServerError(
        'model_unsupported',
        `${names} differ in include_prompt; all or none must have it`,
      )
    if (JSON.stringify(tokenSteps(first)) === JSON.stringify(tokenSteps(route))) continue
    const [a, z] = [first, route].map(
      (one) =>
        tokenSteps(one)
          .map(({ kind }) => kind)
          .join(', ') || 'nothing',
    )
    throw new ServerError(
      'model_unsupported',
      `${names} differ in what tokens go through, ${a} and ${z}; it must be the same modules`,
    )
  }
}

function nameOf(route: Route | undefined): string {
  return route?.tasks.join('+') || 'default'
}

function poolsPrompt(route: Route | undefined): boolean {
  return route?.steps.find((step) => step.kind === 'pooling')?.includePrompt ?? true
}

/** Weights are told by the place of their bytes. */
function tokenSteps(route: Route | undefined): readonly EmbeddingStep[] {
  return (route?.steps ?? []).filter(
    (step) => step.kind === 'layers' || ('perToken' in step && step.perToken),
  )
}

interface Extension {
  readonly made: HeadOutputs
  readonly lexical: LexicalHead | undefined
  readonly multiVector: TokenHead | undefined
}

/**
 * Behind the vector of each token its weight (one below 0 counts for nothing, which is left to the engine), and behind that the
 * vector by which it is compared.
 */
function extendTokens(
  shop: EmbeddingShop,
  states: Value,
  { made, lexical, multiVector }: Extension,
): HeadOutputs {
  const { b, kernels } = shop
  const x = b.cast(states, 'f32')
  const weights = lexical && project(b, x, lexical)
  const vectors = multiVector && kernels.unit(b, project(b, x, multiVector)).vectors
  const parts = [made.tokens, weights, vectors].filter((part) => part !== undefined)
  return { ...made, tokens: b.concat(parts, 1) }
}

/** x · weightᵀ + bias */
function project(b: GraphBuilder, x: Value, head: LexicalHead | TokenHead): Value {
  const [weight, bias] = [head.weight, head.bias].map((tensor) => b.cast(b.tensor(tensor), 'f32'))
  return b.node('Gemm', [x, weight, bias], { transB: { int: 1 } })
}

function poolAll(shop: PoolingShop, tokens: Value, { modes }: PoolingStep): Value {
  return shop.b.concat(
    modes.map((mode) => pool(shop, tokens, mode)),
    1,
  )
}

/** activation(x · weightᵀ + bias) + residual, of [B, D] or [T, D] */
function dense(b: GraphBuilder, x: Value, step: DenseStep): Value {
  const width = x.shape[1]
  if (step.weight.shape[1] !== width) {
    throw new ServerError(
      'model_invalid',
      `a Dense module takes ${step.weight.shape[1]} numbers; it is given ${width}`,
    )
  }
  const weight = b.cast(b.tensor(step.weight), 'f32')
  const bias = step.bias && b.cast(b.tensor(step.bias), 'f32')
  const y = activate(b, b.node('Gemm', [x, weight, bias], { transB: { int: 1 } }), step.activation)
  const { residual } = step
  if (residual === undefined) return y
  if (residual === 'input') return b.node('Add', [y, x])
  const matrix = b.cast(b.tensor(residual), 'f32')
  return b.node('Add', [y, b.node('Gemm', [x, matrix], { transB: { int: 1 } })])
}

/** torch.nn.LayerNorm's, which the module's folder cannot change. */
const EPSILON = 1e-5

function layerNorm(b: GraphBuilder, x: Value, { weight, bias }: LayerNormStep): Value {
  if (weight.shape[0] !== x.shape[1]) {
    throw new ServerError(
      'model_invalid',
      `a LayerNorm module takes ${weight.shape[0]} numbers; it is given ${x.shape[1]}`,
    )
  }
  const parts = [weight, bias].map((vector) => b.cast(b.tensor(vector), 'f32'))
  return b.node('LayerNormalization', [x, ...parts], { axis: { int: -1 }, epsilon: { float: EPSILON } })
}

/** Σ weight · layer / Σ weight */
function averageLayers({ b, layers = [] }: EmbeddingShop, { weights, start }: LayersStep): Value {
  const seen = layers.slice(start)
  const count = weights.shape[0] as number
  if (seen.length !== count) {
    throw new ServerError(
      'model_invalid',
      `WeightedLayerPooling has ${count} weights from layer ${start} on; the model gives ${seen.length} there`,
    )
  }
  const factors = seen.map((_, index) => b.cast(b.tensor(vectorPart(weights, index, 1)), 'f32'))
  const parts = seen.map((layer, index) => b.node('Mul', [b.cast(layer, 'f32'), factors[index]]))
  return b.node('Div', [addAll(b, parts), addAll(b, factors)])
}

function addAll(b: GraphBuilder, values: readonly Value[]): Value {
  return values.reduce((sum, value) => b.node('Add', [sum, value]))
}
