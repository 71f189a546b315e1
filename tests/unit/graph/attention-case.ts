/** Any self-attention that a plan can ask for, drawn at random: as a graph, and by the textbook. */
import fc from 'fast-check'
import { GraphBuilder } from '../../../src/graph/builder.ts'
import { checkGraph } from '../../../src/graph/check.ts'
import type { AttentionInputs } from '../../../src/graph/kernels.ts'
import type { BiasPlan } from '../../../src/graph/layers/encoder-plan.ts'
import { clearBlind } from '../../../src/graph/layers/clear-blind.ts'
import { positionBias } from '../../../src/graph/layers/position-bias.ts'
import { rotaryTables } from '../../../src/graph/layers/rotary.ts'
import type { Target } from '../../../src/graph/target.ts'
import { TARGETS } from '../../../src/graph/target.ts'
import { TensorTable } from '../../../src/graph/tensor-table.ts'
import { layOut } from '../../../src/runtime/feeds.ts'
import { placeWeights } from '../../../src/runtime/weights.ts'
import { raggedBatch, splitRows } from './ragged.ts'
import { runBatches } from './run-graph.ts'
import type { Attention } from './textbook.ts'
import { attend } from './textbook.ts'
import { tinyBert } from './tiny-bert.ts'
import type { NormOptions } from './weight-file.ts'
import { WeightFile } from './weight-file.ts'

export type AttentionTarget = Pick<Target, 'kernels'>

export interface AttentionCase {
  readonly seed: number
  /** Tokens of each row. */
  readonly lengths: readonly number[]
  readonly hiddenSize: number
  readonly keyHeads: number
  readonly copies: number
  readonly headWidth: number
  /** Factor of the scores, times √D. */
  readonly sharpness: number
  readonly causal: boolean
  readonly window: number | undefined
  readonly magnitude: number | undefined
  readonly headNorms: (NormOptions & { readonly over: 'head' | 'all' }) | undefined
  readonly bias: 'none' | 'alibi' | 'relative'
  readonly linear: { readonly bias: boolean; readonly int8: boolean }
  readonly gap: number
  /** Tokens at the end of each row that no token sees, as many as the row can spare. */
  readonly unseen?: number
}

const headNorms = fc.record({
  kind: fc.constantFrom('layer' as const, 'rms' as const),
  bias: fc.boolean(),
  plusOne: fc.boolean(),
  over: fc.constantFrom('head' as const, 'all' as const),
})

/** Everything at random, but for what is given. */
export function attentionCases(given: Partial<AttentionCase>): fc.Arbitrary<AttentionCase> {
  return fc
    .record<AttentionCase>({
      seed: fc.nat(),
      lengths: fc.array(fc.integer({ min: 1, max: 17 }), { minLength: 1, maxLength: 5 }),
      hiddenSize: fc.constantFrom(4, 12, 33),
      keyHeads: fc.integer({ min: 1, max: 3 }),
      copies: fc.integer({ min: 1, max: 3 }),
      headWidth: fc.constantFrom(8, 10, 16, 24, 26, 32),
      sharpness: fc.constantFrom(1, 0.2, 1.3),
      causal: fc.boolean(),
      window: fc.constantFrom(undefined, undefined, 0, 1, 3, 40),
      magnitude: fc.constantFrom(undefined, 1, 1.3),
      headNorms: fc.option(headNorms, { nil: undefined }),
      bias: fc.constantFrom('none', 'none', 'alibi', 'relative'),
      linear: fc.record({ bias: fc.boolean(), int8: fc.boolean() }),
      gap: fc.constantFrom(0, 8),
    })
    .map((drawn) => {
      const whole = { ...drawn, ...given }
      // The root of the mean square has no bias.
      const { headNorms: norms } = whole
      return norms?.kind === 'rms' ? { ...whole, headNorms: { ...norms, bias: false } } : whole
    })
}

/** The graph, what it gives for some of the rows together, [T, N·D], and what the textbook says of all. */
export async function openAttention(
  folder: string,
  drawn: AttentionCase,
  { kernels }: AttentionTarget = TARGETS['cpu-f32'],
) {
  const { lengths, hiddenSize, window, unseen = 0 } = drawn
  const weights = new WeightFile(folder, drawn)
  const unseenId = raggedBatch(lengths).ids.length
  const states = weights.table(unseenId + 1, hiddenSize)
  const b = new GraphBuilder()
  const x = kernels.lookup(b, states.tensors, b.input('ids'))
  const { inputs, textbook } = drawAttention(b, weights, drawn)
  const context = kernels.attention(b, x, inputs)
  const output = unseen > 0 && window !== undefined ? clearBlind(b, context, window) : context
  const graph = b.finish({ output: b.cast(output, 'f32') })
  const { lengthStep } = b
  checkGraph(graph)
  await weights.write()
  const seenIn = (length: number) => Math.max(1, length - unseen)
  const ids = splitRows([...raggedBatch(lengths).ids], lengths).map((row) =>
    row.map((id, place) => (place < seenIn(row.length) ? id : unseenId)),
  )
  const feedsOf = (rows: readonly number[]) => {
    const chosen = raggedBatch(rows.map((row) => lengths[row] ?? 0))
    const placed = { ...chosen, ids: Int32Array.from(rows.flatMap((row) => ids[row] ?? [])) }
    return layOut(placed, b.roles, { lengthStep, window, unseenId })
  }
  /** A batch of each list of rows. */
  const run = async (...batches: readonly (readonly number[])[]) => {
    const placed = await placeWeights(graph, folder)
    return (await runBatches(placed.graph, batches.map(feedsOf))).map(({ data }) => data)
  }
  const expected = () =>
    ids.flatMap((row) => {
      const tokens = row.map((id) => states.numbers[id] ?? [])
      return attend(tokens, textbook, seenIn(row.length)).flat()
    })
  return { graph, lengthStep, run, feedsOf, expected }
}

function drawAttention(b: GraphBuilder, weights: WeightFile, drawn: AttentionCase) {
  const { hiddenSize, keyHeads, copies, headWidth, sharpness, causal, window, magnitude } = drawn
  const heads = keyHeads * copies
  const widths = [heads, keyHeads, keyHeads].map((count) => count * headWidth) as [number, number, number]
  const linears = weights.linears(widths, hiddenSize, drawn.linear)
  const [queryNorm, keyNorm] = [widths[0], widths[1]].map((width) => drawHeadNorm(weights, drawn, width))
  const bias = drawBias(weights, drawn, heads)
  const frequencies = Array.from({ length: headWidth / 2 }, (_, j) => 10 ** ((-4 * j) / headWidth))
  const shared = { heads, keyHeads, headWidth, causal, window, scale: sharpness / Math.sqrt(headWidth) }
  const [query, key, value] = linears as [(typeof linears)[0], (typeof linears)[0], (typeof linears)[0]]
  const inputs: AttentionInputs = {
    hidesUnseen: (drawn.unseen ?? 0) > 0,
    ...shared,
    query: query.tensors,
    key: key.tensors,
    value: value.tensors,
    rotary: magnitude === undefined ? undefined : rotaryTables(b, { frequencies, magnitude }),
    queryNorm: queryNorm?.tensors,
    keyNorm: keyNorm?.tensors,
    bias: bias && (() => positionBias(b, bias.plan, heads, bias.tensors)),
  }
  const textbook: Attention = {
    ...shared,
    query: query.numbers,
    key: key.numbers,
    value: value.numbers,
    rotary: magnitude === undefined ? undefined : { frequencies, magnitude },
    queryNorm: queryNorm?.numbers,
    keyNorm: keyNorm?.numbers,
    bias: bias?.numbers,
  }
  return { inputs, textbook }
}

function drawHeadNorm(weights: WeightFile, { headNorms, headWidth }: AttentionCase, width: number) {
  if (headNorms === undefined) return undefined
  const { over } = headNorms
  const { tensors, numbers } = weights.norm(over === 'head' ? headWidth : width, headNorms)
  return { tensors: { norm: tensors, over }, numbers: { norm: numbers, over } }
}

/** Far to the left, to the right, or how near: five buckets. */
function bucketOf(distance: number): number {
  if (Math.abs(distance) >= 4) return distance < 0 ? 0 : 4
  return 2 + Math.sign(distance)
}

function drawBias(weights: WeightFile, { bias, seed }: AttentionCase, heads: number) {
  const words = weights.table(1, 1).tensors.values
  if (bias === 'none') return undefined
  const { tensors: table, numbers: rows } = weights.table(5, heads)
  const tensors = new TensorTable(
    { ...tinyBert(), tensors: { 'words.weight': words, 'bias.weight': table.values } },
    { prefixes: [''], probe: 'words.weight' },
  )
  if (bias === 'relative') {
    const plan: BiasPlan = { kind: 'relative', table: { name: 'bias', rows: 5 }, bucketOf, maxDistance: 4 }
    const numbers = (head: number, i: number, j: number) => rows[bucketOf(j - i)]?.[head] ?? NaN
    return { plan, numbers, tensors }
  }
  const slopes = Array.from({ length: heads }, (_, head) => 2 ** -(1 + head + (seed % 3)))
  const plan: BiasPlan = { kind: 'alibi', slopes }
  const numbers = (head: number, i: number, j: number) => -(slopes[head] ?? NaN) * Math.abs(i - j)
  return { plan, numbers, tensors }
}
