/**
 * Swin's blocks over a square grid of tokens: attention within windows, every second time of a rolled grid, and between stages
 * four tokens become one. Letters beside those of `ir.ts`: P tokens of a grid · W windows · L tokens of a window.
 *
 * Everything but attention and merging takes tokens one by one, so they stay in whatever order the last step wanted.
 * transformers 5.23, models/swin/modeling_swin.py
 */
import type { GraphBuilder } from '../builder.ts'
import type { Value } from '../ir.ts'
import type { HiddenActivation } from './activation.ts'
import type { LinearPlan, NormPlan } from './encoder-plan.ts'
import type { Workshop } from './encoder.ts'
import type { WindowedGrid } from './swin-grid.ts'
import { gridOrder, mergeOrder, placesIn, relativePlaces, windowOrder, windowRegions } from './swin-grid.ts'

export interface SwinPlan {
  readonly stages: readonly SwinStage[]
  readonly activation: HiddenActivation
}

export interface SwinStage {
  /** Tokens of a side of the grid. */
  readonly side: number
  /** H of its tokens. */
  readonly width: number
  readonly heads: number
  /** Tokens of a side of a window. */
  readonly window: number
  readonly blocks: readonly SwinBlock[]
  /** To a grid of half the side and twice the width; the norm is of four tokens side by side. */
  readonly merge?: { readonly norm: NormPlan; readonly reduction: LinearPlan }
}

export interface SwinBlock {
  readonly shift: number
  readonly attentionNorm: NormPlan
  readonly query: LinearPlan
  readonly key: LinearPlan
  readonly value: LinearPlan
  readonly output: LinearPlan
  /** Name of a tensor [(2 · window − 1)², N]: what is added to scores. */
  readonly positions: string
  readonly feedForwardNorm: NormPlan
  readonly up: LinearPlan
  readonly down: LinearPlan
  /** I */
  readonly upWidth: number
}

/** Tokens [B·P, H], and in which order they stand. */
interface Tokens {
  readonly x: Value
  readonly order: Int32Array
}

/** [B·P, H] row by row to what the last stage gives, [B·P, H] of its sizes, in no particular order. */
export function buildSwin(shop: Workshop, { stages, activation }: SwinPlan, x: Value): Value {
  let tokens: Tokens = { x, order: gridOrder(stages[0]?.side ?? 0) }
  for (const stage of stages) {
    for (const block of stage.blocks) tokens = buildBlock(shop, tokens, { stage, block, activation })
    if (stage.merge !== undefined) tokens = merge(shop, tokens, stage, stage.merge)
  }
  return tokens.x
}

interface BlockInputs {
  readonly stage: SwinStage
  readonly block: SwinBlock
  readonly activation: HiddenActivation
}

function buildBlock(shop: Workshop, tokens: Tokens, { stage, block, activation }: BlockInputs): Tokens {
  const { b, tensors, kernels } = shop
  const { side, window, width: H } = stage
  const grid = { side, window, shift: block.shift }
  const order = windowOrder(grid)
  const x = arrange(b, tokens, order)
  const normed = kernels.norm(b, x, tensors.norm(block.attentionNorm, H))
  const context = attendWindows(shop, normed, { stage, block, grid })
  const output = tensors.linear(block.output, H, H)
  const attended = kernels.linearAddNorm(b, context, output, x, tensors.norm(block.feedForwardNorm, H))
  const raised = kernels.linear(b, attended.normed, tensors.linear(block.up, block.upWidth, H), activation)
  const step = kernels.linear(b, raised, tensors.linear(block.down, H, block.upWidth), 'identity')
  return { x: b.node('Add', [attended.sum, step]), order }
}

interface WindowInputs extends Pick<BlockInputs, 'stage' | 'block'> {
  readonly grid: WindowedGrid
}

/**
 * [B·L·W, H] to the same. Windows are heads to the kernel: head w · N + n is head n of window w, so that one bias serves all
 * rows.
 */
function attendWindows(shop: Workshop, x: Value, { stage, block, grid }: WindowInputs): Value {
  const { b, tensors, kernels } = shop
  const { window, width: H, heads } = stage
  const L = window * window
  const W = (stage.side / window) ** 2
  const parts = [block.query, block.key, block.value].map((plan) => {
    const projected = kernels.linear(b, x, tensors.linear(plan, H, H), 'identity')
    return b.reshape(projected, ['B', L, W * H])
  })
  const bias = b.cast(windowBias(shop, block.positions, grid, heads), kernels.dtype)
  const context = b.node('MultiHeadAttention', [...parts, undefined, undefined, bias], {
    num_heads: { int: W * heads },
    scale: { float: Math.sqrt(heads / H) },
  })
  return b.reshape(context, [`B*${L * W}`, H])
}

/** What the reference adds to scores between parts of a window that were no neighbours. */
const HIDDEN = -100

/** [1, W·N, L, L] float32, of nothing but weights: ONNX Runtime makes it once. */
function windowBias({ b, tensors }: Workshop, name: string, grid: WindowedGrid, N: number): Value {
  const { side, window, shift } = grid
  const L = window * window
  const W = (side / window) ** 2
  const places = b.share(`relative places ${window}`, () => b.constant(relativePlaces(window), [L, L]))
  const table = b.cast(b.tensor(tensors.tensor(name, [(2 * window - 1) ** 2, N])), 'f32')
  const relative = b.node('Transpose', [b.gather(table, places)], { perm: { ints: [2, 0, 1] } })
  const mask = b.share(`window mask ${side} ${window} ${shift}`, () => {
    if (shift === 0) return b.constant(new Float32Array(W), [W, 1, 1, 1])
    // [L, W] to [W, L]
    const regions = b.node('Transpose', [b.constant(windowRegions(grid), [L, W])], { perm: { ints: [1, 0] } })
    const isSeen = b.node('Equal', [b.reshape(regions, [W, 1, L, 1]), b.reshape(regions, [W, 1, 1, L])])
    const values = [0, HIDDEN].map((value) => b.constant(Float32Array.of(value), []))
    return b.node('Where', [isSeen, ...values])
  })
  return b.reshape(b.node('Add', [relative, mask]), [1, W * N, L, L])
}

/** A token out of four: [B·P, H] to [B·P / 4, 2·H], row by row. */
function merge(
  { b, tensors, kernels }: Workshop,
  tokens: Tokens,
  { side, width: H }: SwinStage,
  { norm, reduction }: NonNullable<SwinStage['merge']>,
): Tokens {
  const count = (side * side) / 4
  const fours = b.reshape(arrange(b, tokens, mergeOrder(side)), [`B*${count}`, 4 * H])
  const normed = kernels.norm(b, fours, tensors.norm(norm, 4 * H))
  const x = kernels.linear(b, normed, tensors.linear(reduction, 2 * H, 4 * H), 'identity')
  return { x, order: gridOrder(side / 2) }
}

function arrange(b: GraphBuilder, { x, order }: Tokens, wanted: Int32Array): Value {
  const places = placesIn(order, wanted)
  if (places.every((from, place) => from === place)) return x
  const P = places.length
  const H = x.shape[1] as number
  const index = b.share(`places ${places.join()}`, () => b.constant(places, [P]))
  const moved = b.node('Gather', [b.reshape(x, ['B', P, H]), index], { axis: { int: 1 } })
  return b.reshape(moved, [`B*${P}`, H])
}
