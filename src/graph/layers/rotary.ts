import type { GraphBuilder } from '../builder.ts'
import type { Rotary } from '../kernels.ts'
import type { RotaryPlan } from './encoder-plan.ts'

/**
 * The tables of a batch, in float32 as the reference computes them: angle = position · frequency. Made in the graph, for
 * the positions at hand, because a table of all positions would be megabytes for models that read long texts.
 */
export function rotaryTables(b: GraphBuilder, { frequencies, magnitude = 1 }: RotaryPlan): Rotary {
  const key = `rotary ${frequencies.join()} ${magnitude}`
  const angles = b.share(`${key} angles`, () => {
    const positions = b.cast(b.reshape(b.input('steps'), ['S', 1]), 'f32')
    const rates = b.constant(Float32Array.from(frequencies), [1, frequencies.length])
    return b.node('Mul', [positions, rates])
  })
  const table = (op: 'Cos' | 'Sin') =>
    b.share(`${key} ${op}`, () => {
      const values = b.node(op, [angles])
      return magnitude === 1 ? values : b.node('Mul', [values, b.constant(Float32Array.of(magnitude), [])])
    })
  return { cos: table('Cos'), sin: table('Sin') }
}
