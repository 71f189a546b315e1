import { describe, expect, test } from 'vitest'
import type { InputRole } from '../../../src/graph/contract.ts'
import { INPUTS } from '../../../src/graph/contract.ts'
import { layOut } from '../../../src/runtime/feeds.ts'
import type { RaggedBatch } from '../../../src/runtime/runner.ts'

const ROLES = Object.keys(INPUTS) as InputRole[]

/** B = 3 rows of 4, 2 and 3 tokens: T = 9, S = 4. The second is all of type 0, the third of type 1 from its second on. */
const BATCH: RaggedBatch = {
  ids: Int32Array.of(11, 12, 13, 14, 21, 22, 31, 32, 33),
  bounds: Int32Array.of(0, 4, 6, 9),
  typeStarts: Int32Array.of(2, 2, 1),
  unpooledTokens: Int32Array.of(0, 0, 0),
  wantsTokens: false,
}

/** The prompt of the first row is one token long; that of the second fills the row; the third has none. */
const PROMPTED: RaggedBatch = { ...BATCH, unpooledTokens: Int32Array.of(1, 2, 0) }

/** What every role holds; of matrices, one line for each row. */
const PLAIN = {
  ids: [11, 12, 13, 14, 21, 22, 31, 32, 33],
  types: [0, 0, 1, 1, 0, 0, 0, 1, 1],
  positions: [0, 1, 2, 3, 0, 1, 0, 1, 2],
  padded_rows: [
    [0, 1, 2, 3],
    [4, 5, 4, 4],
    [6, 7, 8, 6],
  ],
  packed_rows: [0, 1, 2, 3, 4, 5, 8, 9, 10],
  last_positions: [3, 1, 2],
  max_length: [4],
  first_rows: [0, 4, 6],
  last_rows: [3, 5, 8],
  pooled_rows: [
    [0, 1, 2, 3],
    [4, 5, 4, 4],
    [6, 7, 8, 6],
  ],
  mean_weights: [
    [1 / 4, 1 / 4, 1 / 4, 1 / 4, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 1 / 2, 1 / 2, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 1 / 3, 1 / 3, 1 / 3],
  ],
  mean_sqrt_weights: [
    [1 / 2, 1 / 2, 1 / 2, 1 / 2, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, Math.SQRT1_2, Math.SQRT1_2, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 1 / Math.sqrt(3), 1 / Math.sqrt(3), 1 / Math.sqrt(3)],
  ],
  position_weights: [
    [1 / 10, 2 / 10, 3 / 10, 4 / 10, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 1 / 3, 2 / 3, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 1 / 6, 2 / 6, 3 / 6],
  ],
} satisfies Record<InputRole, readonly (number | readonly number[])[]>

/** What prompts change: pooling leaves them out, but the last token of a row always takes part. */
const WITHOUT_PROMPTS = {
  ...PLAIN,
  first_rows: [1, 5, 6],
  pooled_rows: [
    [1, 2, 3, 1],
    [5, 5, 5, 5],
    [6, 7, 8, 6],
  ],
  mean_weights: [
    [0, 1 / 3, 1 / 3, 1 / 3, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 1, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 1 / 3, 1 / 3, 1 / 3],
  ],
  mean_sqrt_weights: [
    [0, 1 / Math.sqrt(3), 1 / Math.sqrt(3), 1 / Math.sqrt(3), 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 1, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 1 / Math.sqrt(3), 1 / Math.sqrt(3), 1 / Math.sqrt(3)],
  ],
  position_weights: [
    [0, 2 / 9, 3 / 9, 4 / 9, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 1, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 1 / 6, 2 / 6, 3 / 6],
  ],
} satisfies typeof PLAIN

const DIMS = {
  ids: [9],
  types: [9],
  positions: [9],
  padded_rows: [3, 4],
  packed_rows: [9],
  last_positions: [3],
  max_length: [],
  first_rows: [3],
  last_rows: [3],
  pooled_rows: [3, 4],
  mean_weights: [3, 9],
  mean_sqrt_weights: [3, 9],
  position_weights: [3, 9],
} satisfies Record<InputRole, readonly number[]>

function feedOf(batch: RaggedBatch, role: InputRole) {
  const feed = layOut(batch, [role]).get(role)
  if (feed === undefined) throw new Error(`${role} was not laid out`)
  return feed
}

function rowsOf(batch: RaggedBatch, role: InputRole): number[][] {
  const { data, dims } = feedOf(batch, role)
  const [rows = 0, columns = 0] = dims
  return Array.from({ length: rows }, (_, b) => Array.from(data.subarray(b * columns, (b + 1) * columns)))
}

test.each(ROLES)('%s has the dtype and the sizes of the contract', (role) => {
  const { data, dims } = feedOf(BATCH, role)
  expect(dims).toEqual(DIMS[role])
  expect(data).toBeInstanceOf(INPUTS[role].dtype === 'f32' ? Float32Array : Int32Array)
  expect(data).toHaveLength(DIMS[role].reduce((product, dim) => product * dim, 1))
})

describe.each([
  ['without prompts', BATCH, PLAIN],
  ['with prompts that pooling leaves out', PROMPTED, WITHOUT_PROMPTS],
  [
    'with a prompt longer than its row',
    { ...PROMPTED, unpooledTokens: Int32Array.of(1, 90, 0) },
    WITHOUT_PROMPTS,
  ],
])('a batch %s', (_, batch, expected) => {
  test.each(ROLES)('lays out %s', (role) => {
    const numbers = expected[role].flat()
    const { data } = feedOf(batch, role)
    expect(data).toEqual(data instanceof Int32Array ? Int32Array.from(numbers) : Float32Array.from(numbers))
  })

  test.each(['mean_weights', 'position_weights'] as const)('has %s whose sum is 1 in every row', (role) => {
    for (const row of rowsOf(batch, role)) expect(sum(row)).toBeCloseTo(1, 6)
  })

  test('has mean_sqrt_weights whose squares sum to 1 in every row', () => {
    for (const row of rowsOf(batch, 'mean_sqrt_weights')) expect(sum(row.map((x) => x * x))).toBeCloseTo(1, 6)
  })

  test('has packed_rows that undo padded_rows', () => {
    const padded = feedOf(batch, 'padded_rows').data
    const packed = feedOf(batch, 'packed_rows').data
    expect([...packed].map((place) => padded[place])).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8])
  })
})

test('a row of one token whose prompt fills it pools that token', () => {
  const batch: RaggedBatch = {
    ids: Int32Array.of(7),
    bounds: Int32Array.of(0, 1),
    typeStarts: Int32Array.of(1),
    unpooledTokens: Int32Array.of(1),
    wantsTokens: false,
  }
  expect([...feedOf(batch, 'first_rows').data]).toEqual([0])
  expect([...feedOf(batch, 'pooled_rows').data]).toEqual([0])
  for (const role of ['mean_weights', 'mean_sqrt_weights', 'position_weights'] as const) {
    expect([...feedOf(batch, role).data]).toEqual([1])
  }
})

test('a row whose types start at 0 is of type 1 throughout', () => {
  const batch = { ...BATCH, typeStarts: Int32Array.of(0, 2, 0) }
  expect([...feedOf(batch, 'types').data]).toEqual([1, 1, 1, 1, 0, 0, 1, 1, 1])
})

test('only the roles asked for are laid out, in their order', () => {
  const roles: InputRole[] = ['last_rows', 'ids', 'mean_weights']
  expect([...layOut(BATCH, roles).keys()]).toEqual(roles)
  expect(layOut(BATCH, []).size).toBe(0)
})

test('ids are fed as they are, without a copy', () => {
  expect(feedOf(BATCH, 'ids').data).toBe(BATCH.ids)
})

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
