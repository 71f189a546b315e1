import { describe, expect, test } from 'vitest'
import { GraphBuilder } from '../../../src/graph/builder.ts'
import { encodeGraph } from '../../../src/graph/encode.ts'
import type { WeightRecipe } from '../../../src/graph/ir.ts'
import { hasRecipes, shapeOf, tensorOf } from '../../../src/graph/recipe.ts'
import type { TensorRef } from '../../../src/model/spec.ts'
import { expectRefusal } from '../model/expect-refusal.ts'
import { ref } from './tiny-bert.ts'

const plain = (values: TensorRef) => ({ values, scale: undefined })

function recipe(parts: readonly TensorRef[], more: Partial<WeightRecipe> = {}): WeightRecipe {
  return { dtype: 'f16', parts: parts.map(plain), ...more }
}

describe('the shape of a recipe', () => {
  test('has the rows of all parts', () => {
    expect(shapeOf(recipe([ref([4, 3]), ref([2, 3])]))).toEqual([6, 3])
    expect(shapeOf(recipe([ref([4]), ref([2]), ref([1])]))).toEqual([7])
    expect(shapeOf(recipe([ref([4, 3]), ref([4, 3])], { turnRows: 2 }))).toEqual([8, 3])
  })

  test.each([
    ['other columns', recipe([ref([4, 3]), ref([4, 2])]), 'cannot be one weight'],
    ['another number of axes', recipe([ref([4, 3]), ref([4])]), '[4, 3] and [4] cannot be one weight'],
    [
      'other rows where they take turns',
      recipe([ref([4, 3]), ref([2, 3])], { turnRows: 2 }),
      'cannot be one weight',
    ],
    ['turns that do not come out', recipe([ref([4, 3])], { turnRows: 3 }), '4 rows do not take turns of 3'],
    ['no part', recipe([]), 'made of nothing'],
  ])('is refused for %s', async (_, wrong, says) => {
    await expectRefusal(() => shapeOf(wrong), 'graph_invalid', says)
  })
})

describe('a recipe comes to a tensor of the file', () => {
  const halves = [ref([4, 2], 'F16'), ref([2, 2], 'F16')] as const

  test('where it is one of the right dtype, or neighbours', () => {
    expect(tensorOf(recipe([halves[0]]))).toEqual(halves[0])
    expect(tensorOf(recipe(halves))).toMatchObject({ byteOffset: halves[0].byteOffset, shape: [6, 2] })
  })

  test('but not where anything is to be done', () => {
    const scale = ref([4, 1])
    for (const other of [
      recipe([halves[1], halves[0]]),
      recipe(halves, { dtype: 'bf16' }),
      recipe([halves[0]], { plusOne: true }),
      recipe([halves[0]], { turnRows: 2 }),
      { dtype: 'f16', parts: [{ values: ref([4, 2], 'I8'), scale }] } as const,
    ])
      expect(tensorOf(other)).toBeUndefined()
  })
})

describe('a builder', () => {
  test('lists a recipe once, and another of the same parts besides', () => {
    const b = new GraphBuilder()
    const parts = [ref([4, 2]), ref([4, 2])]
    const first = b.weight(recipe(parts))
    expect(b.weight(recipe(parts))).toBe(first)
    expect(b.weight(recipe(parts, { turnRows: 2 }))).not.toBe(first)
    expect(b.weight(recipe(parts, { dtype: 'bf16' }))).toMatchObject({ dtype: 'bf16', shape: [8, 2] })
    expect(first).toMatchObject({ dtype: 'f16', shape: [8, 2] })
    expect(b.finish({}).initializers).toHaveLength(3)
  })

  test('takes the tensor itself where nothing is to be made', () => {
    const b = new GraphBuilder()
    const tensor = ref([4, 2], 'BF16')
    const value = b.weight(recipe([tensor], { dtype: 'bf16' }))
    expect(b.tensor(tensor)).toBe(value)
    const graph = b.finish({})
    expect(graph.initializers).toEqual([{ value, source: tensor }])
    expect(hasRecipes(graph)).toBe(false)
    b.constant(Int32Array.of(1), [])
    expect(hasRecipes(b.finish({}))).toBe(false)
    b.weight(recipe([tensor]))
    expect(hasRecipes(b.finish({}))).toBe(true)
  })
})

test('a graph is not serialized before its weights are made', async () => {
  const b = new GraphBuilder()
  const value = b.weight(recipe([ref([2])]))
  await expectRefusal(
    () => encodeGraph(b.finish({ output: value })),
    'graph_invalid',
    value.name,
    'have not been made',
  )
})
