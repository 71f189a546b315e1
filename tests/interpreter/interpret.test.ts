import { describe, expect, test } from 'vitest'
import type { Attribute, Dtype, Graph, Initializer, Shape, Value } from '../../src/graph/ir.ts'
import { fileTensor } from '../unit/graph/run-graph.ts'
import { prepare } from './interpret.ts'
import { erf } from './kernels/elementwise.ts'
import { readInitializer } from './read-initializer.ts'
import type { Tensor } from './tensor.ts'
import { roundToBfloat } from './tensor.ts'

const x = (dtype: Dtype = 'f32', shape: Shape = ['T']): Value => ({ name: 'x', dtype, shape })
const y = (dtype: Dtype = 'f32', shape: Shape = ['T']): Value => ({ name: 'y', dtype, shape })

interface OneNode {
  readonly op: string
  readonly inputs?: readonly string[]
  readonly attributes?: Readonly<Record<string, Attribute>>
  readonly input?: Value
  readonly output?: Value
}

function graphOf({ op, inputs = ['x'], attributes = {}, input = x(), output = y() }: OneNode): Graph {
  return {
    inputs: [input],
    initializers: [],
    nodes: [{ op, inputs, attributes, outputs: [output] }],
    outputs: [output],
  }
}

function run(graph: Graph, data: readonly number[], rounding?: 'none'): number[] {
  const { dtype } = graph.inputs[0] as Value
  const feed: Tensor = { dtype, dims: [data.length], data: Float64Array.from(data) }
  return [
    ...(prepare(graph, rounding)
      .call(undefined, [['x', feed]])
      .get('y')?.data ?? []),
  ]
}

function product(dtype: Dtype): Graph {
  return graphOf({ op: 'Mul', inputs: ['x', 'x'], input: x(dtype), output: y(dtype) })
}

describe('what a node makes is rounded to its dtype', () => {
  test('beyond 65504 becomes infinite in f16, and a difference of two such is no number', () => {
    expect(run(product('f16'), [255, 256, 300])).toEqual([65_024, Infinity, Infinity])
    const difference = graphOf({ op: 'Sub', inputs: ['x', 'x'], input: x('f16'), output: y('f16') })
    expect(run(difference, [Infinity])).toEqual([NaN])
  })

  test('stays finite in bf16, with eight bits', () => {
    expect(run(product('bf16'), [257, 300])).toEqual([66_048, 90_112])
  })

  test('is what float32 holds in f32, and all of it without rounding', () => {
    expect(run(product('f32'), [0.1])).toEqual([Math.fround(0.1 * 0.1)])
    expect(run(product('f16'), [0.1, 300], 'none')).toEqual([0.1 * 0.1, 90_000])
  })

  test('to nearest, ties to even, keeping infinities and what is no number', () => {
    const [half, next] = [1 + 2 ** -8, 1 + 3 * 2 ** -8]
    expect([half, next, -half, Infinity, -Infinity, NaN, 3.4e38, 0].map(roundToBfloat)).toEqual([
      1,
      1 + 2 ** -6,
      -1,
      Infinity,
      -Infinity,
      NaN,
      Infinity,
      0,
    ])
  })
})

describe('a node is refused', () => {
  test.each([
    ['with an operator that is not known', { op: 'Einsum' }, /no operator Einsum/],
    [
      'with an attribute that its kernel does not read',
      { op: 'Softmax', attributes: { axis: { int: -1 }, base: { int: 2 } } },
      /Softmax: the interpreter does not know base/,
    ],
    [
      'with an operand that its kernel does not read',
      { op: 'Tanh', inputs: ['x', '', 'x'] },
      /Tanh: the interpreter does not know input 2/,
    ],
    ['without an operand that it needs', { op: 'Add' }, /Add: input 1 is missing/],
    ['that uses a value not made yet', { op: 'Add', inputs: ['x', 'z'] }, /Add uses z before it is made/],
    [
      'that declares another dtype than it makes',
      { op: 'Tanh', output: y('f16') },
      /Tanh makes y as f32, declared f16/,
    ],
    [
      'that declares another shape than it makes',
      { op: 'Tanh', output: y('f32', ['T', 1]) },
      /y is \[2\], declared \[T, 1\]/,
    ],
    [
      'whose letters do not come out',
      { op: 'Tanh', output: y('f32', ['T+1']) },
      /y is \[2\], declared \[T\+1\]/,
    ],
  ] satisfies [string, OneNode, RegExp][])('%s', (_, node, message) => {
    expect(() => run(graphOf(node), [1, 2])).toThrow(message)
  })

  test('that looks up a row outside of its table', () => {
    const table: Initializer = {
      value: { name: 't', dtype: 'f32', shape: [2] },
      source: new Uint8Array(8),
    }
    const graph = graphOf({ op: 'Gather', inputs: ['t', 'x'], input: x('i32') })
    expect(() => run({ ...graph, initializers: [table] }, [2])).toThrow(/index 2 is outside of 2/)
  })
})

describe('a weight made by a recipe', () => {
  const matrix = async (numbers: readonly number[], rows: number) => ({
    values: await fileTensor(Float32Array.from(numbers), [rows, numbers.length / rows], 3),
    scale: undefined,
  })
  const read = (source: Initializer['source'], rows: number, dtype: Dtype = 'f32') => [
    ...readInitializer({ value: { name: 'w', dtype, shape: [rows, 1] }, source }, 'declared').data,
  ]

  test('has its parts one below the other', async () => {
    const parts = [await matrix([1, 2], 2), await matrix([3], 1)]
    expect(read({ dtype: 'f32', parts }, 3)).toEqual([1, 2, 3])
  })

  test('has rows of the parts in turn', async () => {
    const parts = [await matrix([1, 2, 3, 4], 4), await matrix([5, 6, 7, 8], 4)]
    expect(read({ dtype: 'f32', parts, turnRows: 2 }, 8)).toEqual([1, 2, 5, 6, 3, 4, 7, 8])
  })

  test('has one added before it is rounded', async () => {
    const parts = [await matrix([2 ** -11, 2 ** -10], 2)]
    expect(read({ dtype: 'f16', parts, plusOne: true }, 2, 'f16')).toEqual([1, 1 + 2 ** -10])
  })

  test('has int8 codes times the scale of their row', async () => {
    const values = await fileTensor(Int8Array.of(-2, 3), [2, 1])
    const scale = await fileTensor(Float32Array.of(0.5, 2), [2, 1])
    expect(read({ dtype: 'f32', parts: [{ values, scale }] }, 2)).toEqual([-1, 6])
  })
})

test('erf is right to the last digits', () => {
  // Abramowitz and Stegun, table 7.1
  expect(erf(0.5)).toBeCloseTo(0.520_499_877_8, 10)
  expect(erf(1)).toBeCloseTo(0.842_700_792_9, 10)
  expect(erf(-2)).toBeCloseTo(-0.995_322_265, 9)
  expect([erf(0), erf(9), erf(-Infinity)]).toEqual([0, 1, -1])
  expect(erf(1e-9) / 1e-9).toBeCloseTo(2 / Math.sqrt(Math.PI), 12)
})
