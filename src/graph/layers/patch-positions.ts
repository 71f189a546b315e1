/** Positions of patches learned for one grid, made to fit another as torch's bicubic interpolation does it. */
import type { GraphBuilder } from '../builder.ts'
import type { Value } from '../ir.ts'

/** Patches from top to bottom and from left to right. */
export interface PatchGrid {
  readonly height: number
  readonly width: number
}

export interface ResizeOptions {
  readonly from: PatchGrid
  readonly to: PatchGrid
  /** Rows of the old grid are averaged where the new one is coarser. */
  readonly antialias: boolean
}

/**
 * A learned grid's rows [from.height · from.width, H] float32 to those of another: [to.height · to.width, H], line by line. As
 * torch 2.15's `interpolate(mode="bicubic", align_corners=False)`; ONNX Runtime computes it once, when it loads the graph.
 */
export function resizeGrid(b: GraphBuilder, rows: Value, { from, to, antialias }: ResizeOptions): Value {
  const H = rows.shape[1] as number
  const multiply = (x: Value, before: number, after: number): Value =>
    b.node('MatMul', [b.constant(sideWeights(before, after, antialias), [after, before]), x])
  const turn = (x: Value): Value => b.node('Transpose', [x], { perm: { ints: [1, 0, 2] } })
  const lines = multiply(b.reshape(rows, [from.height, from.width * H]), from.height, to.height)
  const columns = b.reshape(turn(b.reshape(lines, [to.height, from.width, H])), [from.width, to.height * H])
  const both = b.reshape(multiply(columns, from.width, to.width), [to.width, to.height, H])
  return b.reshape(turn(both), [to.height * to.width, H])
}

/** How much of each of `from` places of a side its `to` new places get: [to, from]. */
export function sideWeights(from: number, to: number, antialias: boolean): Float32Array<ArrayBuffer> {
  const weights = new Float32Array(to * from)
  for (const [index, line] of (antialias ? averagingWeights(from, to) : plainWeights(from, to)).entries())
    for (const [place, weight] of line)
      weights[index * from + place] = (weights[index * from + place] as number) + weight
  return weights
}

/** Of one place of a side, placed in float32 as torch does it, the weights of old places; an old one may stand more than once. */
type SideWeights = readonly (readonly [place: number, weight: number])[]

/** Four neighbours each; beyond the ends stands the last place. */
function plainWeights(from: number, to: number): SideWeights[] {
  const scale = Math.fround(from / to)
  return Array.from({ length: to }, (_, index) => {
    const centre = Math.fround(Math.fround((index + 0.5) * scale) - 0.5)
    const first = Math.floor(centre) - 1
    return Array.from({ length: 4 }, (_, k) => {
      const place = Math.min(Math.max(first + k, 0), from - 1)
      return [place, cubic(first + k - centre, -0.75)] as const
    })
  })
}

/** As many neighbours as a place of the coarser grid spans; those beyond the ends do not count. */
function averagingWeights(from: number, to: number): SideWeights[] {
  const scale = Math.fround(from / to)
  const stretch = Math.max(scale, 1)
  const support = 2 * stretch
  return Array.from({ length: to }, (_, index) => {
    const centre = Math.fround((index + 0.5) * scale)
    const first = Math.max(Math.trunc(centre - support + 0.5), 0)
    const end = Math.min(Math.trunc(centre + support + 0.5), from)
    const raw = Array.from({ length: end - first }, (_, k) =>
      cubic((first + k - centre + 0.5) / stretch, -0.5),
    )
    const sum = raw.reduce((total, weight) => total + weight, 0)
    return raw.map((weight, k) => [first + k, weight / sum] as const)
  })
}

/** Keys' cubic convolution (1981), of which `a` is the slope at distance 1. */
function cubic(distance: number, a: number): number {
  const x = Math.abs(distance)
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a
  return 0
}
