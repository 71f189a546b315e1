import { expect, test } from 'vitest'
import { GraphBuilder } from '../../../src/graph/builder.ts'
import type { Value } from '../../../src/graph/ir.ts'
import { joinBiases } from '../../../src/graph/targets/attention-parts.ts'
import type { Linear } from '../../../src/graph/tensor-table.ts'
import { ref } from './tiny-bert.ts'

function linear(bias: Linear['bias']): Linear {
  return { weight: { values: ref([8, 4]), scale: undefined }, bias }
}

interface Joined {
  readonly value: Value | undefined
  readonly builder: GraphBuilder
  /** How many biases were asked for in one piece. */
  readonly wholes: readonly number[]
}

function join(...biases: readonly Linear['bias'][]): Joined {
  const builder = new GraphBuilder()
  const wholes: number[] = []
  const value = joinBiases(builder, biases.map(linear), {
    join(all) {
      wholes.push(all.length)
      return builder.tensor(ref([8 * all.length]))
    },
    make: (bias) => builder.cast(builder.tensor(bias), 'f16'),
  })
  return { value, builder, wholes }
}

test('projections that are made in one product have their biases in one piece, or none', () => {
  expect(join(ref([8]), ref([8])).wholes).toEqual([2])
  expect(join(undefined, undefined).value).toBeUndefined()
})

test('one without a bias between others has zeros, in their dtype', () => {
  const { value, builder, wholes } = join(ref([8]), undefined, ref([8]))
  expect(wholes).toEqual([])
  expect(value).toMatchObject({ dtype: 'f16', shape: [24] })
  const { nodes, initializers } = builder.finish({ output: value as Value })
  const [, zeros] = nodes.find(({ op }) => op === 'Concat')?.inputs ?? []
  const cast = nodes.find(({ outputs }) => outputs[0]?.name === zeros)
  const constant = initializers.find(({ value: { name } }) => name === cast?.inputs[0])
  expect(constant?.source).toEqual(new Uint8Array(8 * Float32Array.BYTES_PER_ELEMENT))
})
