/** A family's plan made into a graph: token ids in, hidden states [T, H] out. */
import type { GraphBuilder } from '../builder.ts'
import type { Value } from '../ir.ts'
import type { AttentionInputs, HeadNorm, Kernels } from '../kernels.ts'
import type { AnyLinear, Norm, TensorTable } from '../tensor-table.ts'
import { clearBlind } from './clear-blind.ts'
import { convolve } from './convolution.ts'
import { disentangledBias } from './disentangled-bias.ts'
import { buildEmbeddings } from './embeddings.ts'
import type {
  AttentionPlan,
  BiasPlan,
  EncoderPlan,
  HeadNormPlan,
  LayerPlan,
  NormPlan,
  LayersPlan,
  PostNormLayers,
  PreNormLayers,
} from './encoder-plan.ts'
import { lowerByExperts, raiseByExperts } from './experts.ts'
import { positionBias } from './position-bias.ts'
import { rotaryTables } from './rotary.ts'

/** What every part of a body is built with. */
export interface Workshop {
  readonly b: GraphBuilder
  readonly tensors: TensorTable
  readonly kernels: Kernels
  /** Float32, whatever the body is computed in. */
  readonly headKernels: Kernels
  /** Rows may end with tokens that none sees. */
  readonly hidesUnseen?: boolean
}

/** `onLayer`: told of the embeddings, then of what each layer makes of them; of the last, what the whole body gives. */
export function buildEncoder(
  shop: Workshop,
  plan: EncoderPlan,
  onLayer: (states: Value) => void = () => {},
): Value {
  return buildLayers(shop, plan, buildEmbeddings(shop, plan), onLayer)
}

/** `embedded` [T, H] to hidden states [T, H], or [B, H] of the rows that the plan keeps; `onLayer` as above. */
export function buildLayers(
  shop: Workshop,
  plan: LayersPlan,
  embedded: Value,
  onLayer: (states: Value) => void = () => {},
): Value {
  onLayer(embedded)
  if (plan.layers.length === 0) return embedded
  const inputs = { embedded, onLayer }
  return plan.order === 'post' ? buildPostNorm(shop, plan, inputs) : buildPreNorm(shop, plan, inputs)
}

interface LayerInputs {
  readonly embedded: Value
  readonly onLayer: (states: Value) => void
}

/** x = norm(x + step(x)) */
function buildPostNorm(shop: Workshop, plan: PostNormLayers, { embedded, onLayer }: LayerInputs): Value {
  const { b, kernels, tensors } = shop
  const H = plan.hiddenSize
  let x = embedded
  for (const [index, { attention, feedForward, norms }] of plan.layers.entries()) {
    const context = attend(shop, x, attention, H)
    const output = tensors.linear(attention.output, H, attention.heads * attention.headWidth)
    const attentionNorm = tensors.norm(norms.attention, H)
    const once = kernels.linearAddNorm(b, context, output, x, attentionNorm).normed
    const again = norms.attentionAgain
    const attended = again === undefined ? once : kernels.addNorm(b, once, x, tensors.norm(again, H)).normed
    const raised = raise(shop, attended, feedForward, H)
    const down = lower(shop, feedForward, H)
    x = kernels.linearAddNorm(b, raised, down, attended, tensors.norm(norms.feedForward, H)).normed
    if (index === 0 && plan.convolution !== undefined) x = convolve(shop, plan.convolution, embedded, x)
    onLayer(x)
  }
  return x
}

/** x = x + step(norm(x)): each step's norm is computed with the sum before it, which most providers do in one kernel. */
function buildPreNorm(shop: Workshop, plan: PreNormLayers, { embedded, onLayer }: LayerInputs): Value {
  const { b, kernels, tensors } = shop
  const H = plan.hiddenSize
  const normOf = (norm: NormPlan | undefined): Norm | undefined => norm && tensors.norm(norm, H)
  const finalNorm = tensors.norm(plan.finalNorm, H)
  const firstNorm = plan.isNormedAtFirst ? undefined : normOf(plan.layers[0]?.norms.attention)
  let x = embedded
  let normed = firstNorm === undefined ? x : kernels.norm(b, x, firstNorm)
  for (const [index, { attention, feedForward, norms }] of plan.layers.entries()) {
    const attentionOutput = { norm: normOf(norms.attentionOutput), scale: norms.attentionScale }
    const feedForwardOutput = { norm: normOf(norms.feedForwardOutput), scale: norms.feedForwardScale }
    const next = plan.layers[index + 1]
    const kept = (value: Value): Value =>
      next === undefined && plan.keptRows !== undefined ? b.gather(value, b.input(plan.keptRows)) : value
    const context = kept(attend(shop, normed, attention, H))
    const output = tensors.linear(attention.output, H, attention.heads * attention.headWidth)
    const feedForwardNorm = tensors.norm(norms.feedForward, H)
    const attended = addStep(shop, context, output, kept(x), attentionOutput, feedForwardNorm)
    const raised = raise(shop, attended.normed, feedForward, H)
    const down = lower(shop, feedForward, H)
    const nextNorm = normOf(next?.norms.attention) ?? finalNorm
    ;({ sum: x, normed } = addStep(shop, raised, down, attended.sum, feedForwardOutput, nextNorm))
    onLayer(next === undefined ? normed : x)
  }
  return normed
}

interface StepOutput {
  readonly norm: Norm | undefined
  /** Name of a tensor [H]. */
  readonly scale: string | undefined
}

/** residual + outputScale · outputNorm(linear(x)), and its norm. */
function addStep(
  { b, kernels, tensors }: Workshop,
  x: Value,
  linear: AnyLinear,
  residual: Value,
  output: StepOutput,
  norm: Norm,
) {
  if (output.norm === undefined && output.scale === undefined)
    return kernels.linearAddNorm(b, x, linear, residual, norm)
  let step = kernels.linear(b, x, linear, 'identity')
  if (output.norm !== undefined) step = kernels.norm(b, step, output.norm)
  if (output.scale !== undefined) {
    const factors = tensors.tensor(output.scale, [step.shape[1] as number])
    step = b.node('Mul', [step, b.cast(b.tensor(factors), kernels.dtype)])
  }
  return kernels.addNorm(b, step, residual, norm)
}

function attend(shop: Workshop, x: Value, plan: AttentionPlan, H: number): Value {
  const { b, tensors, kernels, hidesUnseen = false } = shop
  const { heads, keyHeads, headWidth, rotary, scale = 1 / Math.sqrt(headWidth) } = plan
  const queryWidth = heads * headWidth
  const keyWidth = keyHeads * headWidth
  const inputs: AttentionInputs = {
    query: tensors.linear(plan.query, queryWidth, H),
    key: tensors.linear(plan.key, keyWidth, H),
    value: tensors.linear(plan.value, keyWidth, H),
    heads,
    keyHeads,
    headWidth,
    scale,
    causal: plan.causal,
    window: plan.window,
    rotary: rotary && rotaryTables(b, rotary),
    queryNorm: headNorm(plan.queryNorm, queryWidth),
    keyNorm: headNorm(plan.keyNorm, keyWidth),
    bias: scoreBias(plan.bias),
    hidesUnseen,
  }
  const context = kernels.attention(b, x, inputs)
  return hidesUnseen && plan.window !== undefined ? clearBlind(b, context, plan.window) : context

  function scoreBias(bias: BiasPlan | undefined): AttentionInputs['bias'] {
    if (bias === undefined) return undefined
    if (bias.kind !== 'disentangled') return () => positionBias(b, bias, heads, tensors)
    const sizes = { hiddenSize: H, heads, headWidth, scale }
    return (query, key) => disentangledBias(shop, bias, sizes, { query, key })
  }

  function headNorm(norm: HeadNormPlan | undefined, width: number): HeadNorm | undefined {
    if (norm === undefined) return undefined
    return { norm: tensors.norm(norm, norm.over === 'head' ? headWidth : width), over: norm.over }
  }
}

/** [T, H] to [T, I]: all of a feed-forward step but its last projection. */
function raise(shop: Workshop, x: Value, plan: LayerPlan['feedForward'], H: number): Value {
  if (plan.kind === 'experts') return raiseByExperts(shop, x, plan, H)
  const { b, kernels, tensors } = shop
  const { width, activation } = plan
  const up = tensors.linear(plan.up, width, H)
  if (plan.kind === 'plain') return kernels.linear(b, x, up, activation)
  return kernels.gated(b, x, { gate: tensors.linear(plan.gate, width, H), up, activation })
}

/** The last projection of a feed-forward step. */
function lower(shop: Workshop, plan: LayerPlan['feedForward'], H: number): AnyLinear {
  if (plan.kind === 'experts') return lowerByExperts(shop, plan, H)
  return shop.tensors.linear(plan.down, H, plan.width)
}
