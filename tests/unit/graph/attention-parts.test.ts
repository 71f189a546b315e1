import { expect, test } from 'vitest'
import { biasesOf } from '../../../src/graph/targets/attention-parts.ts'
import type { Linear } from '../../../src/graph/tensor-table.ts'
import { expectRefusal } from '../model/expect-refusal.ts'
import { ref } from './tiny-bert.ts'

function linear(bias: Linear['bias']): Linear {
  return { weight: { values: ref([8, 4]), scale: undefined }, bias }
}

test('projections that are made in one product all have a bias, or none has', async () => {
  const [first, second] = [ref([8]), ref([8])]
  expect(biasesOf([linear(first), linear(second)])).toEqual([first, second])
  expect(biasesOf([linear(undefined), linear(undefined)])).toEqual([])
  const some = () => biasesOf([linear(first), linear(undefined), linear(second)])
  await expectRefusal(some, 'graph_invalid', 'only some of query, key and value have a bias')
})
