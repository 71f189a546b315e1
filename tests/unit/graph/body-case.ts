/** A body of two layers, drawn at random: as a plan with its tensors, and by the textbook. */
import fc from 'fast-check'
import type { HiddenActivation } from '../../../src/graph/layers/activation.ts'
import type {
  EncoderPlan,
  FeedForwardPlan,
  LinearPlan,
  NormPlan,
  PreNormLayer,
} from '../../../src/graph/layers/encoder-plan.ts'
import type { TensorRef } from '../../../src/model/spec.ts'
import type { Layer, Linear, Norm, Tokens } from './textbook.ts'
import { add, normalize, project, runLayer } from './textbook.ts'
import type { NormOptions, WeightFile } from './weight-file.ts'

export interface BodyCase {
  readonly seed: number
  readonly lengths: readonly number[]
  readonly order: 'pre' | 'post'
  readonly headWidth: number
  readonly norm: NormOptions
  readonly activation: HiddenActivation
  readonly gated: boolean
  /** Query, key and value in one tensor, gate and up in another. */
  readonly fused: boolean
  readonly bias: boolean
  readonly outputNorms: boolean
  readonly firstNorm: boolean
  /** The second layer names the tensors of the first. */
  readonly repeated: boolean
  readonly embeddings: {
    readonly width: number
    readonly scale: number | undefined
    readonly types: boolean
    readonly skip: number | undefined
    readonly norm: boolean
  }
}

const H = 12
const HEADS = 2
/** I */
const WIDE = 20
const WORDS = 30
const LONGEST = 9

export function bodyCases(given: Partial<BodyCase>): fc.Arbitrary<BodyCase> {
  return fc
    .record<BodyCase>({
      seed: fc.nat(),
      lengths: fc.array(fc.integer({ min: 1, max: LONGEST }), { minLength: 1, maxLength: 3 }),
      order: fc.constantFrom('pre', 'post'),
      headWidth: fc.constantFrom(8, 10),
      norm: fc.record({
        kind: fc.constantFrom('layer' as const, 'rms' as const),
        bias: fc.boolean(),
        plusOne: fc.boolean(),
      }),
      activation: fc.constantFrom('relu', 'tanh', 'silu', 'gelu_tanh'),
      gated: fc.boolean(),
      fused: fc.boolean(),
      bias: fc.boolean(),
      outputNorms: fc.boolean(),
      firstNorm: fc.boolean(),
      repeated: fc.boolean(),
      embeddings: fc.record({
        width: fc.constantFrom(H, 5),
        scale: fc.constantFrom(undefined, 3.5),
        types: fc.boolean(),
        skip: fc.constantFrom(undefined, 0, 2),
        norm: fc.boolean(),
      }),
    })
    .map((drawn) => {
      const whole = { ...drawn, ...given }
      const bias = whole.norm.bias === true && whole.norm.kind === 'layer'
      return { ...whole, norm: { ...whole.norm, bias } }
    })
}

export interface Body {
  readonly plan: EncoderPlan
  readonly tensors: Readonly<Record<string, TensorRef>>
  /** Hidden states of one row. */
  readonly run: (ids: readonly number[], types: readonly number[]) => number[][]
}

export function drawBody(weights: WeightFile, drawn: BodyCase): Body {
  const shop = new BodyShop(weights, drawn)
  const embeddings = drawEmbeddings(shop, drawn)
  const first = drawLayer(shop, drawn, 0)
  const layers = [first, drawn.repeated ? first : drawLayer(shop, drawn, 1)]
  const final = drawn.order === 'pre' ? shop.norm('final', H) : undefined
  const body = {
    hiddenSize: H,
    vocabularySize: WORDS,
    maxTokens: LONGEST,
    embeddings: embeddings.plan,
    layers: layers.map(({ plan }) => plan),
  }
  const plan: EncoderPlan = final
    ? {
        order: 'pre',
        ...body,
        ...(!hasFirstNorm(drawn) && { isNormedAtFirst: true }),
        finalNorm: final.plan,
      }
    : { order: 'post', ...body }
  return {
    plan,
    tensors: shop.tensors,
    run(ids, types) {
      const states = layers.reduce<Tokens>((x, { run }) => run(x), embeddings.run(ids, types))
      return final ? normalize(states, final.numbers) : states.map((token) => [...token])
    },
  }
}

/** Draws parts and keeps their tensors under their names. */
class BodyShop {
  readonly tensors: Record<string, TensorRef> = {}
  readonly #weights: WeightFile
  readonly #drawn: BodyCase

  constructor(weights: WeightFile, drawn: BodyCase) {
    this.#weights = weights
    this.#drawn = drawn
  }

  table(name: string, rows: number, columns: number): number[][] {
    const { tensors, numbers } = this.#weights.table(rows, columns)
    this.tensors[`${name}.weight`] = tensors.values
    return numbers
  }

  linear(name: string, out: number, inputs: number): { plan: LinearPlan; numbers: Linear } {
    const { tensors, numbers } = this.#weights.linear(out, inputs, { bias: this.#drawn.bias })
    this.tensors[`${name}.weight`] = tensors.weight.values
    if (tensors.bias !== undefined) this.tensors[`${name}.bias`] = tensors.bias
    return { plan: { name, bias: this.#drawn.bias }, numbers }
  }

  /** Layers of the same size, in one tensor where the checkpoint is fused. */
  linears(names: readonly string[], out: number, inputs: number) {
    if (!this.#drawn.fused) return names.map((name) => this.linear(name, out, inputs))
    const { plan, numbers } = this.linear(names.join('-'), names.length * out, inputs)
    return names.map((_, index) => ({
      plan: { ...plan, part: [index, names.length] as const },
      numbers: {
        weight: numbers.weight.slice(index * out, (index + 1) * out),
        bias: numbers.bias?.slice(index * out, (index + 1) * out),
      },
    }))
  }

  norm(name: string, width: number): { plan: NormPlan; numbers: Norm } {
    const { tensors, numbers } = this.#weights.norm(width, this.#drawn.norm)
    this.tensors[`${name}.weight`] = tensors.weight
    if (tensors.bias !== undefined) this.tensors[`${name}.bias`] = tensors.bias
    const { kind, epsilon, plusOne } = numbers
    return { plan: { name, kind, epsilon, plusOne, bias: tensors.bias !== undefined }, numbers }
  }
}

function drawEmbeddings(shop: BodyShop, { embeddings }: BodyCase) {
  const { width, scale = 1, types, skip, norm } = embeddings
  const words = shop.table('words', WORDS, width)
  const kinds = types ? shop.table('types', 2, width) : undefined
  const places = skip === undefined ? undefined : shop.table('places', LONGEST + skip, width)
  const normed = norm ? shop.norm('embedded', width) : undefined
  const widened = width === H ? undefined : shop.linear('widened', H, width)
  const plan: EncoderPlan['embeddings'] = {
    words: 'words',
    width,
    ...(embeddings.scale !== undefined && { scale }),
    ...(kinds && { types: { name: 'types', rows: 2 } }),
    ...(places && { positions: { name: 'places', rows: places.length, skip: skip ?? 0 } }),
    ...(normed && { norm: normed.plan }),
    ...(widened && { projection: widened.plan }),
  }
  const run = (ids: readonly number[], typeIds: readonly number[]): number[][] => {
    let x = rowsOf(words, ids).map((word) => word.map((number) => number * scale))
    if (kinds !== undefined) x = add(x, rowsOf(kinds, typeIds))
    const indices = ids.map((_, index) => index + (skip ?? 0))
    if (places !== undefined) x = add(x, rowsOf(places, indices))
    if (normed !== undefined) x = normalize(x, normed.numbers)
    return widened === undefined ? x : project(x, widened.numbers)
  }
  return { plan, run }
}

function rowsOf(table: Tokens, indices: readonly number[]): number[][] {
  return indices.map((index) => [...(table[index] ?? [])])
}

interface DrawnLayer {
  /** Norms after the steps have the names of those before them. */
  readonly plan: PreNormLayer
  readonly run: (x: Tokens) => number[][]
}

function drawLayer(shop: BodyShop, drawn: BodyCase, index: number): DrawnLayer {
  const { headWidth, order, activation } = drawn
  const name = (part: string) => `layers.${index}.${part}`
  const width = HEADS * headWidth
  const [query, key, value] = threeOf(shop.linears(['q', 'k', 'v'].map(name), width, H))
  const output = shop.linear(name('output'), H, width)
  const feedForward = drawFeedForward(shop, drawn, name)
  const norms = drawNorms(shop, drawn, index)
  const shared = { heads: HEADS, keyHeads: HEADS, headWidth, causal: false }
  const layer: Layer = {
    attention: {
      ...shared,
      query: query.numbers,
      key: key.numbers,
      value: value.numbers,
      scale: 1 / Math.sqrt(headWidth),
      window: undefined,
      rotary: undefined,
      queryNorm: undefined,
      keyNorm: undefined,
      bias: undefined,
    },
    output: output.numbers,
    feedForward: { ...feedForward.numbers, activation },
    order,
    ...norms.numbers,
  }
  const attention = { ...shared, query: query.plan, key: key.plan, value: value.plan, output: output.plan }
  return {
    plan: { attention, feedForward: feedForward.plan, norms: norms.plan },
    run: (x) => runLayer(x, layer),
  }
}

function drawFeedForward(shop: BodyShop, { gated, activation }: BodyCase, name: (part: string) => string) {
  const down = shop.linear(name('down'), H, WIDE)
  if (!gated) {
    const up = shop.linear(name('up'), WIDE, H)
    const plan: FeedForwardPlan = { kind: 'plain', up: up.plan, down: down.plan, width: WIDE, activation }
    return { plan, numbers: { gate: undefined, up: up.numbers, down: down.numbers } }
  }
  const [up, gate] = twoOf(shop.linears(['up', 'gate'].map(name), WIDE, H))
  const parts = { up: up.plan, gate: gate.plan, down: down.plan }
  const plan: FeedForwardPlan = { kind: 'gated', ...parts, width: WIDE, activation }
  return { plan, numbers: { gate: gate.numbers, up: up.numbers, down: down.numbers } }
}

function hasFirstNorm({ order, firstNorm, repeated }: BodyCase): boolean {
  return order === 'post' || firstNorm || repeated
}

function drawNorms(shop: BodyShop, drawn: BodyCase, index: number) {
  const { order, outputNorms } = drawn
  const draw = (part: string) => shop.norm(`layers.${index}.${part}`, H)
  const attention = index > 0 || hasFirstNorm(drawn) ? draw('norm1') : undefined
  const feedForward = draw('norm2')
  const numbers = {
    attentionNorm: attention?.numbers,
    feedForwardNorm: feedForward.numbers,
    attentionOutputNorm: undefined,
    feedForwardOutputNorm: undefined,
  }
  // The file lacks one that is not asked for.
  const absent: NormPlan = { name: 'absent', kind: 'layer', epsilon: 0, bias: false }
  const plan = { attention: attention?.plan ?? absent, feedForward: feedForward.plan }
  if (order === 'post' || !outputNorms) return { plan, numbers }
  const [attentionOutput, feedForwardOutput] = [draw('norm3'), draw('norm4')]
  const after = { attentionOutput: attentionOutput.plan, feedForwardOutput: feedForwardOutput.plan }
  return {
    plan: { ...plan, ...after },
    numbers: {
      ...numbers,
      attentionOutputNorm: attentionOutput.numbers,
      feedForwardOutputNorm: feedForwardOutput.numbers,
    },
  }
}

function twoOf<X>(list: readonly X[]): readonly [X, X] {
  return list as readonly [X, X]
}

function threeOf<X>(list: readonly X[]): readonly [X, X, X] {
  return list as readonly [X, X, X]
}
