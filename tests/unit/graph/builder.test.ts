import { expect, test } from 'vitest'
import { GraphBuilder } from '../../../src/graph/builder.ts'
import { checkGraph } from '../../../src/graph/check.ts'
import { INPUTS } from '../../../src/graph/contract.ts'
import type { Shape, Value } from '../../../src/graph/ir.ts'
import { expectRefusal } from '../model/expect-refusal.ts'
import { ref } from './tiny-bert.ts'

/** The sizes that the builder writes for a Reshape of an input [B, S] or [T] and some numbers. */
function sizesOf(b: GraphBuilder, x: Value, shape: Shape): bigint[] {
  const output = b.reshape(x, shape)
  expect(output).toMatchObject({ dtype: x.dtype, shape })
  const { nodes, initializers } = b.finish({ output })
  const dims = initializers.find(({ value }) => value.name === nodes.at(-1)?.inputs[1])
  expect(dims?.value).toMatchObject({ dtype: 'i64', shape: [shape.length] })
  const bytes = dims?.source as Uint8Array
  return [...new BigInt64Array(bytes.slice().buffer)]
}

/** Hidden states [B, S, 8]. */
function padded(b: GraphBuilder): Value {
  const rows = b.gather(b.tensor(ref([50, 8])), b.input('ids'))
  return b.gather(rows, b.input('padded_rows'))
}

test('an input has the sizes that the graph knows', () => {
  const b = new GraphBuilder()
  expect(b.input('patches', { Q: 192 }).shape).toEqual(['T', 192])
  expect(new GraphBuilder().input('patches').shape).toEqual(['T', 'Q'])
})

test('an input asked for twice is listed once, in the order of asking', () => {
  const b = new GraphBuilder()
  const positions = b.input('positions')
  const ids = b.input('ids')
  expect(b.input('positions')).toBe(positions)
  expect(b.roles).toEqual(['positions', 'ids'])
  const sum = b.node('Add', [positions, ids])
  expect(b.finish({ output: sum }).inputs).toEqual([positions, ids])
  expect(ids).toEqual({ name: 'ids', ...INPUTS.ids })
})

test('a tensor asked for twice is listed once, in the dtype it is stored in', () => {
  const b = new GraphBuilder()
  const int8 = ref([4, 2], 'I8')
  const codes = b.tensor(int8)
  expect(b.tensor({ ...int8 })).toBe(codes)
  expect(codes).toMatchObject({ dtype: 'i8', shape: [4, 2] })
  const half = b.tensor(ref([3], 'F16'))
  const brain = b.tensor(ref([3], 'BF16'))
  const single = b.tensor(ref([3]))
  expect([half, brain, single].map(({ dtype }) => dtype)).toEqual(['f16', 'bf16', 'f32'])
  expect(b.finish({ output: single }).initializers.map(({ value }) => value)).toEqual([
    codes,
    half,
    brain,
    single,
  ])
})

test('tensors at one offset of two files are two', () => {
  const b = new GraphBuilder()
  const shard = ref([4])
  expect(b.tensor({ ...shard, file: '/elsewhere' }).name).not.toBe(b.tensor(shard).name)
})

test('a constant carries exactly the bytes of its view', () => {
  const b = new GraphBuilder()
  const all = Int32Array.of(1, 2, 3, 4)
  const c = b.constant(all.subarray(1, 3), [2])
  const wide = b.constant(BigInt64Array.of(-1n), [1])
  const real = b.constant(Float32Array.of(0.5), [])
  expect([c, wide, real].map(({ dtype, shape }) => `${dtype}[${shape.join()}]`)).toEqual([
    'i32[2]',
    'i64[1]',
    'f32[]',
  ])
  const sources = b.finish({ output: c }).initializers.map(({ source }) => [...(source as Uint8Array)])
  expect(sources).toEqual([[2, 0, 0, 0, 3, 0, 0, 0], Array(8).fill(255), [0, 0, 0, 63]])
})

test('a node whose operands do not fit is refused where it is added', async () => {
  const b = new GraphBuilder()
  const weights = b.input('mean_weights')
  const states = b.tensor(ref([7, 4]))
  const message = `MatMul(mean_weights: f32[B, T], ${states.name}: f32[7, 4]): T is not 7`
  await expectRefusal(() => b.node('MatMul', [weights, states]), 'graph_invalid', message)
})

test('an operand that is left out is an empty name, and nothing at the end', () => {
  const b = new GraphBuilder()
  const x = b.gather(b.tensor(ref([50, 4])), b.input('ids'))
  const most = b.constant(Float32Array.of(1), [])
  const clipped = b.node('Clip', [x, undefined, most])
  const y = b.node('Gemm', [clipped, b.tensor(ref([6, 4])), undefined], { transB: { int: 1 } })
  const [, clip, gemm] = b.finish({ output: y }).nodes
  expect(clip?.inputs).toEqual([x.name, '', most.name])
  expect(gemm?.inputs).toEqual([clipped.name, expect.any(String)])
})

test('rows have the largest step that was asked for, and any length where none was', () => {
  const b = new GraphBuilder()
  expect(b.lengthStep).toBe(1)
  for (const step of [8, 16, 8]) b.padLengths(step)
  expect(b.lengthStep).toBe(16)
})

test('a cast to the dtype that a value has adds nothing', () => {
  const b = new GraphBuilder()
  const x = b.tensor(ref([2], 'F16'))
  expect(b.cast(x, 'f16')).toBe(x)
  const y = b.cast(x, 'f32')
  expect(y).toMatchObject({ dtype: 'f32', shape: [2] })
  expect(b.finish({ output: y }).nodes).toMatchObject([{ op: 'Cast', attributes: { to: { int: 1 } } }])
})

test('one value joined is itself, several are a Concat', () => {
  const b = new GraphBuilder()
  const [x, y] = [b.tensor(ref([2, 4])), b.tensor(ref([3, 4]))]
  expect(b.concat([x], 0)).toBe(x)
  expect(b.concat([x, y], 0)).toMatchObject({ shape: [5, 4] })
})

test.each<[string, Shape, bigint[]]>([
  ['folds two letters into one size to be found', ['B*S', 8], [-1n, 8n]],
  ['keeps leading letters', ['B', 'S', 2, 4], [0n, 0n, 2n, 4n]],
  ['keeps one letter and finds the other', ['B', 2, 'S', 4], [0n, 2n, -1n, 4n]],
  ['writes numbers as they are', ['B', 'S', 8], [0n, 0n, 8n]],
])('a reshape %s', (_, shape, sizes) => {
  const b = new GraphBuilder()
  expect(sizesOf(b, padded(b), shape)).toEqual(sizes)
})

test('a reshape to other elements is refused', async () => {
  const b = new GraphBuilder()
  const x = padded(b)
  await expectRefusal(() => b.reshape(x, ['T', 8]), 'graph_invalid', 'Reshape', 'elements of [T, 8]')
  await expectRefusal(() => b.reshape(x, ['B*S', 4]), 'graph_invalid', 'elements of [B*S, 4]')
})

test('a reshape that leaves ONNX two sizes to guess is refused', async () => {
  const b = new GraphBuilder()
  const x = padded(b)
  await expectRefusal(() => b.reshape(x, ['S', 'B', 8]), 'graph_invalid', '[S, B, 8]', 'two')
})

test('reshapes to the same sizes share their constant', () => {
  const b = new GraphBuilder()
  const x = padded(b)
  const first = b.reshape(x, ['B*S', 8])
  const second = b.reshape(b.node('Tanh', [x]), ['B*S', 8])
  const { nodes, initializers } = b.finish({ output: b.node('Add', [first, second]) })
  const sizes = nodes.filter(({ op }) => op === 'Reshape').map(({ inputs }) => inputs[1])
  expect(sizes).toHaveLength(2)
  expect(new Set(sizes).size).toBe(1)
  expect(initializers).toHaveLength(2)
})

test('a shared value is made once for each key', () => {
  const b = new GraphBuilder()
  let made = 0
  const make = () => b.constant(Int32Array.of(made++), [1])
  expect(b.share('a', make)).toBe(b.share('a', make))
  expect(b.share('b', make)).not.toBe(b.share('a', make))
  expect(made).toBe(2)
})

test('every value has a name of its own', () => {
  const b = new GraphBuilder()
  let x = padded(b)
  for (let i = 0; i < 5; i++) x = b.node('Add', [x, b.cast(b.tensor(ref([8], 'F16')), 'f32')])
  const { inputs, initializers, nodes } = b.finish({ output: x })
  const names = [
    ...inputs,
    ...initializers.map(({ value }) => value),
    ...nodes.flatMap(({ outputs }) => outputs),
  ]
  expect(new Set(names.map(({ name }) => name)).size).toBe(names.length)
})

test('finish renames the output where it is made, where it is used, and where it is listed', () => {
  const b = new GraphBuilder()
  const x = padded(b)
  const y = b.node('Tanh', [x])
  const z = b.node('Add', [y, x])
  const graph = b.finish({ output: y, other: z })
  expect(graph.outputs[0]).toEqual({ name: 'output', dtype: 'f32', shape: ['B', 'S', 8] })
  expect(graph.nodes.slice(-2)).toMatchObject([
    { op: 'Tanh', inputs: [x.name], outputs: [{ name: 'output' }] },
    { op: 'Add', inputs: ['output', x.name], outputs: [{ name: 'other' }] },
  ])
  expect(JSON.stringify(graph)).not.toContain(`"${y.name}"`)
  expect(() => checkGraph(graph)).not.toThrow()
})

test('several outputs are listed in the order given, each made and used under its own name', () => {
  const b = new GraphBuilder()
  const x = padded(b)
  const y = b.node('Tanh', [x])
  const z = b.node('Add', [y, x])
  const graph = b.finish({ sum: z, hidden: y })
  expect(graph.outputs).toEqual([
    { ...z, name: 'sum' },
    { ...y, name: 'hidden' },
  ])
  expect(graph.nodes.slice(-2)).toMatchObject([
    { op: 'Tanh', inputs: [x.name], outputs: [{ name: 'hidden' }] },
    { op: 'Add', inputs: ['hidden', x.name], outputs: [{ name: 'sum' }] },
  ])
  expect(() => checkGraph(graph)).not.toThrow()
})

test('a tensor and its first rows, which begin at the same place, are two', () => {
  const b = new GraphBuilder()
  const whole = ref([6, 4])
  const rows = { ...whole, byteLength: 32, shape: [2, 4] }
  expect(b.tensor(rows)).not.toBe(b.tensor(whole))
  expect(b.tensor(rows).shape).toEqual([2, 4])
  expect(b.tensor(whole).shape).toEqual([6, 4])
})

test('a node with several outputs gives all of them, each with a name, dtype and shape of its own', () => {
  const b = new GraphBuilder()
  const x = b.gather(b.tensor(ref([50, 12])), b.input('ids'))
  const parts = b.outputs('Split', [x], { axis: { int: 1 }, num_outputs: { int: 3 } })
  for (const part of parts) expect(part).toMatchObject({ dtype: 'f32', shape: ['T', 4] })
  expect(new Set(parts.map(({ name }) => name)).size).toBe(3)
  const norm = b.outputs('SkipLayerNormalization', [x, x, b.tensor(ref([12]))])
  expect(norm.map(({ shape }) => shape)).toEqual([
    ['T', 12],
    ['T', 1],
    ['T', 1],
    ['T', 12],
  ])
})

test('finish drops what no output depends on, and names of outputs that nobody uses', () => {
  const b = new GraphBuilder()
  const x = b.gather(b.tensor(ref([50, 12])), b.input('ids'))
  const [first, , , last] = b.outputs('SkipLayerNormalization', [x, x, b.tensor(ref([12]))])
  b.node('Tanh', [x])
  const graph = b.finish({ output: b.node('Add', [first, last]) })
  expect(graph.nodes.map(({ op, outputs }) => [op, ...outputs.map(({ name }) => name)])).toEqual([
    ['Gather', x.name],
    ['SkipLayerNormalization', first?.name, '', '', last?.name],
    ['Add', 'output'],
  ])
  expect(() => checkGraph(graph)).not.toThrow()
})

test('a shape that no operand tells is the one given', async () => {
  const b = new GraphBuilder()
  const x = b.gather(b.tensor(ref([50, 4])), b.input('ids'))
  const dims = b.constant(BigInt64Array.of(-1n, 2n, 2n), [3])
  const y = b.shaped('Reshape', [x, dims], { dtype: 'f32', shape: ['T', 2, 2] })
  expect(y).toMatchObject({ dtype: 'f32', shape: ['T', 2, 2] })
  await expectRefusal(
    () => b.shaped('Reshape', [x, dims], { dtype: 'f32', shape: ['T', 2] }),
    'graph_invalid',
    'has not the elements of [T, 2]',
  )
})
