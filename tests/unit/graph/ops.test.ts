import { expect, test } from 'vitest'
import { OPERATORS, inferOutputs } from '../../../src/graph/ops.ts'
import { ATTENTION } from '../../../src/graph/ops/attention.ts'
import { ELEMENTWISE } from '../../../src/graph/ops/elementwise.ts'
import { MATRIX } from '../../../src/graph/ops/matrix.ts'
import { NORMS } from '../../../src/graph/ops/norms.ts'
import { QUANTIZED } from '../../../src/graph/ops/quantized.ts'
import { SHAPING } from '../../../src/graph/ops/shaping.ts'
import { expectRefusal } from '../model/expect-refusal.ts'

test('an operator stands in one of the tables by kind, whose tests are in ops/', () => {
  const kinds = [ATTENTION, ELEMENTWISE, MATRIX, NORMS, QUANTIZED, SHAPING].flatMap((table) =>
    Object.keys(table),
  )
  expect(kinds.toSorted()).toEqual(Object.keys(OPERATORS).sort())
})

test('an operator outside the table is refused by its name', async () => {
  await expectRefusal(
    () => inferOutputs('Einsum', [], {}),
    'graph_invalid',
    'operator Einsum is not in the table',
  )
})
