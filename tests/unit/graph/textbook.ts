/** Transformer layers as textbooks have them: one row of tokens at a time, in float64, without a thought of speed. */
import type { HiddenActivation } from '../../../src/graph/layers/activation.ts'

/** One array for each token. */
export type Tokens = readonly (readonly number[])[]

export interface Linear {
  /** One array for each output. */
  readonly weight: Tokens
  readonly bias: readonly number[] | undefined
}

export interface Norm {
  readonly kind: 'layer' | 'rms'
  readonly weight: readonly number[]
  readonly bias: readonly number[] | undefined
  readonly epsilon: number
  readonly plusOne: boolean
}

export interface HeadNorm {
  readonly norm: Norm
  readonly over: 'head' | 'all'
}

export interface Attention {
  readonly query: Linear
  readonly key: Linear
  readonly value: Linear
  readonly heads: number
  readonly keyHeads: number
  readonly headWidth: number
  readonly scale: number
  readonly causal: boolean
  readonly window: number | undefined
  readonly rotary: { readonly frequencies: readonly number[]; readonly magnitude: number } | undefined
  readonly queryNorm: HeadNorm | undefined
  readonly keyNorm: HeadNorm | undefined
  /** Of a head's score between the tokens at places i and j. */
  readonly bias: ((head: number, i: number, j: number) => number) | undefined
}

export function project(x: Tokens, { weight, bias }: Linear): number[][] {
  return x.map((token) => weight.map((row, out) => dot(token, row) + (bias?.[out] ?? 0)))
}

export function normalize(x: Tokens, { kind, weight, bias, epsilon, plusOne }: Norm): number[][] {
  return x.map((token) => {
    const mean = kind === 'layer' ? sum(token) / token.length : 0
    const variance = sum(token.map((number) => (number - mean) ** 2)) / token.length
    return token.map((number, column) => {
      const factor = at(weight, column) + (plusOne ? 1 : 0)
      return ((number - mean) / Math.sqrt(variance + epsilon)) * factor + (bias?.[column] ?? 0)
    })
  })
}

export function add(x: Tokens, y: Tokens): number[][] {
  return x.map((token, t) => token.map((number, column) => number + at(at(y, t), column)))
}

const ACTIVATIONS: Partial<Record<HiddenActivation, (x: number) => number>> = {
  identity: (x) => x,
  relu: (x) => Math.max(0, x),
  tanh: Math.tanh,
  silu: (x) => x / (1 + Math.exp(-x)),
  gelu_tanh: (x) => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
}

export function activate(x: Tokens, activation: HiddenActivation): number[][] {
  const formula = ACTIVATIONS[activation]
  if (formula === undefined) throw new Error(`this textbook lacks ${activation}`)
  return x.map((token) => token.map(formula))
}

/** activation(gate(x)) · up(x) */
export function gated(x: Tokens, gate: Linear, up: Linear, activation: HiddenActivation): number[][] {
  const raised = project(x, up)
  return activate(project(x, gate), activation).map((token, t) =>
    token.map((number, column) => number * at(at(raised, t), column)),
  )
}

/** softmax(scale · q · kᵀ + bias) · v of every head, over those of the first `seen` tokens that each may see; 0 where there is none. */
export function attend(x: Tokens, attention: Attention, seen = x.length): number[][] {
  const { heads, keyHeads, headWidth, rotary } = attention
  const prepare = (linear: Linear, norm: HeadNorm | undefined) =>
    splitHeads(normalizeHeads(project(x, linear), norm, headWidth), headWidth).map((head) =>
      rotary === undefined ? head : rotate(head, rotary),
    )
  const query = prepare(attention.query, attention.queryNorm)
  const key = prepare(attention.key, attention.keyNorm)
  const value = splitHeads(project(x, attention.value), headWidth)
  const contexts = Array.from({ length: heads }, (_, head) => {
    const shared = Math.floor(head / (heads / keyHeads))
    return attendHead(at(query, head), at(key, shared), at(value, shared), { ...attention, head, seen })
  })
  return x.map((_, t) => contexts.flatMap((context) => at(context, t)))
}

export interface Layer {
  readonly attention: Attention
  readonly output: Linear
  readonly feedForward: {
    readonly gate: Linear | undefined
    readonly up: Linear
    readonly down: Linear
    readonly activation: HiddenActivation
  }
  readonly order: 'pre' | 'post'
  /** None: the layer's input is normalized already. */
  readonly attentionNorm: Norm | undefined
  readonly feedForwardNorm: Norm
  readonly attentionOutputNorm: Norm | undefined
  readonly feedForwardOutputNorm: Norm | undefined
}

export function runLayer(x: Tokens, layer: Layer): number[][] {
  const { attention, output, feedForward, order } = layer
  const attended = (input: Tokens) => project(attend(input, attention), output)
  const maybe = (input: Tokens, norm: Norm | undefined) =>
    norm === undefined ? input : normalize(input, norm)
  const raised = (input: Tokens) => {
    const { gate, up, down, activation } = feedForward
    return project(
      gate === undefined ? activate(project(input, up), activation) : gated(input, gate, up, activation),
      down,
    )
  }
  if (order === 'post') {
    const y = maybe(add(x, attended(x)), layer.attentionNorm)
    return normalize(add(y, raised(y)), layer.feedForwardNorm)
  }
  const y = add(x, maybe(attended(maybe(x, layer.attentionNorm)), layer.attentionOutputNorm))
  return add(y, maybe(raised(normalize(y, layer.feedForwardNorm)), layer.feedForwardOutputNorm))
}

function attendHead(
  q: Tokens,
  k: Tokens,
  v: Tokens,
  options: Attention & { readonly head: number; readonly seen: number },
) {
  const { scale, causal, window = Infinity, bias, head } = options
  return q.map((query, i) => {
    const seen = k
      .map((_, j) => j)
      .filter((j) => j < options.seen && Math.abs(i - j) <= window && (!causal || j <= i))
    const scores = seen.map((j) => scale * dot(query, at(k, j)) + (bias?.(head, i, j) ?? 0))
    const highest = Math.max(...scores)
    const weights = scores.map((score) => Math.exp(score - highest))
    const total = sum(weights)
    return at(v, 0).map((_, column) =>
      sum(seen.map((j, n) => (at(weights, n) / total) * at(at(v, j), column))),
    )
  })
}

function normalizeHeads(x: number[][], headNorm: HeadNorm | undefined, headWidth: number): number[][] {
  if (headNorm === undefined) return x
  if (headNorm.over === 'all') return normalize(x, headNorm.norm)
  const heads = splitHeads(x, headWidth).map((head) => normalize(head, headNorm.norm))
  return x.map((_, t) => heads.flatMap((head) => at(head, t)))
}

/** Numbers j and j + D / 2 of the token at place t turn by the angle t · frequency j. */
function rotate(
  head: Tokens,
  { frequencies, magnitude }: { readonly frequencies: readonly number[]; readonly magnitude: number },
): number[][] {
  const half = frequencies.length
  return head.map((token, t) =>
    token.map((number, column) => {
      const angle = t * at(frequencies, column % half)
      const other = column < half ? -at(token, column + half) : at(token, column - half)
      return magnitude * (number * Math.cos(angle) + other * Math.sin(angle))
    }),
  )
}

/** Heads of tokens. */
function splitHeads(x: Tokens, headWidth: number): number[][][] {
  const count = at(x, 0).length / headWidth
  return Array.from({ length: count }, (_, head) =>
    x.map((token) => token.slice(head * headWidth, (head + 1) * headWidth)),
  )
}

function dot(a: readonly number[], b: readonly number[]): number {
  return sum(a.map((number, index) => number * at(b, index)))
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

function at<X>(array: readonly X[], index: number): X {
  const value = array[index]
  if (value === undefined) throw new Error(`there is no place ${index} of ${array.length}`)
  return value
}
