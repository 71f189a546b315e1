import { expect, test } from 'vitest'
import { checkGraph } from '../../../src/graph/check.ts'
import type { Dtype, Graph, GraphNode, Value } from '../../../src/graph/ir.ts'
import { expectRefusal } from '../model/expect-refusal.ts'
import { ref } from './tiny-bert.ts'

function value(name: string, dtype: Dtype, ...shape: Value['shape']): Value {
  return { name, dtype, shape }
}

function node(
  op: string,
  inputs: readonly string[],
  output: Value,
  attributes: GraphNode['attributes'] = {},
): GraphNode {
  return { op, inputs, attributes, outputs: [output] }
}

const transposed = { transB: { int: 1 } }

/** y = tanh(x · wᵀ), every value as it must be. */
const GOOD: Graph = {
  inputs: [value('x', 'f32', 'T', 4)],
  initializers: [{ value: value('w', 'f32', 6, 4), source: ref([6, 4]) }],
  nodes: [
    node('Gemm', ['x', 'w', ''], value('g', 'f32', 'T', 6), transposed),
    node('Tanh', ['g'], value('y', 'f32', 'T', 6)),
  ],
  outputs: [value('y', 'f32', 'T', 6)],
}

function expectInvalid(changes: Partial<Graph>, ...parts: readonly string[]): Promise<void> {
  return expectRefusal(() => checkGraph({ ...GOOD, ...changes }), 'graph_invalid', ...parts)
}

test('a graph whose values are what they say passes', () => {
  expect(() => checkGraph(GOOD)).not.toThrow()
})

test('a value that is used before it is defined is refused by its user and its name', async () => {
  await expectInvalid({ nodes: GOOD.nodes.toReversed() }, 'Tanh uses g before it is defined')
})

test('a value that is never defined is refused', async () => {
  await expectInvalid({ initializers: [] }, 'Gemm uses w before it is defined')
})

test('a node that uses its own output is refused', async () => {
  await expectInvalid({ nodes: [node('Tanh', ['y'], value('y', 'f32', 'T', 6))] }, 'Tanh uses y before')
})

test.each([
  ['two inputs', { inputs: [...GOOD.inputs, ...GOOD.inputs] }, 'x'],
  ['two initializers', { initializers: [...GOOD.initializers, ...GOOD.initializers] }, 'w'],
  ['an input and an initializer', { inputs: [...GOOD.inputs, value('w', 'f32', 6, 4)] }, 'w'],
  ['two nodes', { nodes: [...GOOD.nodes, node('Tanh', ['g'], value('y', 'f32', 'T', 6))] }, 'y'],
  ['a node and an input', { nodes: [node('Tanh', ['x'], value('x', 'f32', 'T', 4))] }, 'x'],
])('a name that %s define is refused', async (_, changes, name) => {
  await expectInvalid(changes, `${name} is defined twice`)
})

test('a value without name is refused', async () => {
  await expectInvalid({ inputs: [value('', 'f32')] }, 'a value has no name')
  await expectInvalid({ nodes: [node('Tanh', ['x'], value('', 'f32', 'T', 4))] }, 'a value has no name')
})

test.each([
  ['shape', value('g', 'f32', 'T', 5), 'declared f32[T, 5]'],
  ['rank', value('g', 'f32', 'T'), 'declared f32[T]'],
  ['letter', value('g', 'f32', 'B', 6), 'declared f32[B, 6]'],
  ['dtype', value('g', 'f16', 'T', 6), 'declared f16[T, 6]'],
])('a node that declares another %s than it makes is refused with both', async (_, output, declared) => {
  const [, ...rest] = GOOD.nodes
  const nodes = [node('Gemm', ['x', 'w', ''], output, transposed), ...rest]
  await expectInvalid({ nodes }, 'Gemm makes g as f32[T, 6]', declared)
})

test('operands that do not fit are refused by the operator', async () => {
  const initializers = [{ value: value('w', 'f32', 6, 5), source: ref([6, 5]) }]
  await expectInvalid({ initializers }, 'Gemm(x: f32[T, 4], w: f32[6, 5], –): 4 is not 5')
})

test('an operator outside the table is refused', async () => {
  await expectInvalid({ nodes: [node('Einsum', ['x'], value('y', 'f32', 'T', 6))] }, 'operator Einsum')
})

test('a Reshape whose declared output has other elements is refused', async () => {
  const reshape = (...shape: Value['shape']): Partial<Graph> => ({
    nodes: [node('Reshape', ['x', 'w'], value('r', 'f32', ...shape))],
    outputs: [value('r', 'f32', ...shape)],
  })
  expect(() => checkGraph({ ...GOOD, ...reshape('T', 2, 2) })).not.toThrow()
  await expectInvalid(reshape('T', 5), 'Reshape', 'has not the elements of [T, 5]')
})

test('an output that nothing makes is refused', async () => {
  await expectInvalid({ outputs: [value('z', 'f32', 'T', 6)] }, 'the output uses z before it is defined')
})

test('an output of another shape or dtype than its value is refused with both', async () => {
  await expectInvalid(
    { outputs: [value('y', 'f32', 'B', 6)] },
    'the graph makes y as f32[T, 6], declared f32[B, 6]',
  )
  await expectInvalid({ outputs: [value('y', 'f16', 'T', 6)] }, 'declared f16[T, 6]')
})

/** The norm of x + x: that, the mean, the inverse deviation and the sum, of which the graph gives the last named here. */
function skipNorm(...outputs: readonly Value[]): Partial<Graph> {
  return {
    inputs: [value('x', 'f32', 'T', 4)],
    initializers: [{ value: value('w', 'f32', 4), source: ref([4]) }],
    nodes: [{ op: 'SkipLayerNormalization', inputs: ['x', 'x', 'w'], attributes: {}, outputs }],
    outputs: outputs.slice(-1),
  }
}

const normed = value('normed', 'f32', 'T', 4)
const unnamed = value('', 'f32', 'T', 1)
const sum = value('sum', 'f32', 'T', 4)

test('outputs after the first may be unnamed or left out, and are checked where they have a name', async () => {
  expect(() => checkGraph({ ...GOOD, ...skipNorm(normed, unnamed, unnamed, sum) })).not.toThrow()
  expect(() => checkGraph({ ...GOOD, ...skipNorm(normed) })).not.toThrow()
  const narrow = value('sum', 'f32', 'T', 1)
  const declared = 'SkipLayerNormalization makes sum as f32[T, 4], declared f32[T, 1]'
  await expectInvalid(skipNorm(normed, unnamed, unnamed, narrow), declared)
  const mean = (name: string) => value(name, 'f32', 'T', 1)
  await expectInvalid(skipNorm(normed, mean('normed')), 'normed is defined twice')
  await expectInvalid(skipNorm(normed, mean('x')), 'x is defined twice')
  await expectInvalid(skipNorm(value('', 'f32', 'T', 4), unnamed, unnamed, sum), 'a value has no name')
})

test('an output that its operator does not have is refused', async () => {
  const extra = value('extra', 'f32', 'T', 4)
  await expectInvalid(
    skipNorm(normed, unnamed, unnamed, sum, extra),
    'SkipLayerNormalization has no output 4',
  )
  const [tanh] = GOOD.nodes.slice(-1) as [GraphNode]
  const more = { ...tanh, outputs: [...tanh.outputs, value('z', 'f32', 'T', 6)] }
  await expectInvalid({ nodes: [...GOOD.nodes.slice(0, 1), more] }, 'Tanh has no output 1')
})

test('a later output can be used by what follows, and not before', async () => {
  const { nodes = [], ...rest } = skipNorm(normed, unnamed, unnamed, sum)
  const tanh = node('Tanh', ['sum'], value('y', 'f32', 'T', 4))
  const outputs = [value('y', 'f32', 'T', 4)]
  expect(() => checkGraph({ ...GOOD, ...rest, nodes: [...nodes, tanh], outputs })).not.toThrow()
  await expectInvalid({ ...rest, nodes: [tanh, ...nodes], outputs }, 'Tanh uses sum before it is defined')
})

test('a Split that leaves one of its parts without a name, or out, is refused', async () => {
  const attributes = { axis: { int: 1 }, num_outputs: { int: 2 } }
  const parts = (...names: readonly string[]): Partial<Graph> => {
    const outputs = names.map((name) => value(name, 'f32', 'T', 2))
    return { nodes: [{ op: 'Split', inputs: ['x'], attributes, outputs }], outputs: outputs.slice(0, 1) }
  }
  expect(() => checkGraph({ ...GOOD, ...parts('a', 'b') })).not.toThrow()
  await expectInvalid(parts('a', ''), 'Split names 1 of the 2 outputs that it writes')
  await expectInvalid(parts('a'), 'Split names 1 of the 2 outputs that it writes')
})
