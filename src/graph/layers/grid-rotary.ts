/** Rotary positions of patches on a grid: half of a head turns by the line, half by the column (EVA-02). */
import type { GraphBuilder } from '../builder.ts'
import type { Rotary } from '../kernels.ts'

export interface GridRotaryPlan {
  /** Patches of a side. */
  readonly side: number
  /** Tokens before the patches, which do not turn. */
  readonly leading: number
  /** D / 4 numbers: both halves have the same. */
  readonly frequencies: readonly number[]
  /** How far a patch is from the next, in the steps that the frequencies are for. */
  readonly step: number
}

/** S may be rounded up beyond the tokens of a picture, by less than this. */
const SPARE_ROWS = 256

/** The tables of a batch in float32, with pairs of neighbours turning together. */
export function gridRotaryTables(b: GraphBuilder, plan: GridRotaryPlan): Rotary {
  const angles = anglesOf(plan)
  const pairs = 2 * plan.frequencies.length
  const rows = angles.length / pairs
  const key = `grid rotary ${JSON.stringify(plan)}`
  const table = (of: (angle: number) => number, name: string) =>
    b.share(`${key} ${name}`, () =>
      b.gather(b.constant(Float32Array.from(angles, of), [rows, pairs]), b.input('steps')),
    )
  return { cos: table(Math.cos, 'cos'), sin: table(Math.sin, 'sin'), interleaved: true }
}

/** Of each token of a picture and each pair of numbers, line by line of the grid: [leading + side² + spare, D / 2]. */
function anglesOf({ side, leading, frequencies, step }: GridRotaryPlan): Float64Array {
  const half = frequencies.length
  const angles = new Float64Array((leading + side ** 2 + SPARE_ROWS) * 2 * half)
  for (let patch = 0; patch < side ** 2; patch++) {
    const [line, column] = [Math.floor(patch / side), patch % side]
    const row = (leading + patch) * 2 * half
    for (const [j, frequency] of frequencies.entries()) {
      angles[row + j] = line * step * frequency
      angles[row + half + j] = column * step * frequency
    }
  }
  return angles
}
