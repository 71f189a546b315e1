import { existsSync, realpathSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { buildGraph } from '../../../src/graph/build.ts'
import { INPUTS } from '../../../src/graph/contract.ts'
import { encodeGraph } from '../../../src/graph/encode.ts'
import { ONNX_TYPES } from '../../../src/graph/ir.ts'
import { openFolder } from '../../../src/model/open-folder.ts'
import type { ModelSpec, TensorDtype } from '../../../src/model/spec.ts'
import { expectRefusal } from '../model/expect-refusal.ts'
import { readOnnx } from './read-onnx.ts'
import type { TinyBertOptions } from './tiny-bert.ts'
import { TINY, ref, tinyBert } from './tiny-bert.ts'

const BUNDLED = resolve(import.meta.dirname, '../../../models/all-MiniLM-L6-v2-int8')

const CLASSIFIER: ModelSpec['head'] = {
  kind: 'classification',
  labels: ['no', 'maybe', 'yes'],
  activation: 'softmax',
}

const CLASSIFIER_TENSORS = {
  'pooler.dense.weight': ref([16, 16]),
  'pooler.dense.bias': ref([16]),
  'classifier.weight': ref([3, 16]),
  'classifier.bias': ref([3]),
}

function build(options: TinyBertOptions = {}) {
  return buildGraph(tinyBert(options), 'cpu-f32')
}

/** The same tensors under names with this in front. */
function prefixed(spec: ModelSpec, prefix: string): ModelSpec {
  const tensors = Object.entries(spec.tensors).map(([name, tensor]) => [prefix + name, tensor] as const)
  return { ...spec, tensors: Object.fromEntries(tensors) }
}

describe('the graph of the bundled model', async () => {
  const spec = await openFolder(BUNDLED)
  const graph = buildGraph(spec, 'cpu-f32')
  const bytes = encodeGraph(graph.graph)
  const onnx = readOnnx(bytes)

  test('says what goes in and what comes out', () => {
    const { graph: _, inputs, ...facts } = graph
    expect(facts).toEqual({
      lengthStep: 1,
      isSparse: false,
      outputWidth: 385,
      vectorWidth: 384,
      tokenWidth: 384,
      maxTokens: 512,
      vocabularySize: 30_522,
      unusedTensors: ['pooler.dense.bias', 'pooler.dense.weight_scale', 'pooler.dense.weight'],
    })
    expect(inputs.toSorted()).toEqual([
      'ids',
      'last_positions',
      'max_length',
      'mean_weights',
      'packed_rows',
      'padded_rows',
      'positions',
      'types',
    ])
  })

  test('asks for its inputs in that order, as the contract describes them', () => {
    const expected = graph.inputs.map((role) => ({
      name: role,
      type: ONNX_TYPES[INPUTS[role].dtype],
      dims: [...INPUTS[role].shape],
    }))
    expect(onnx.inputs).toEqual(expected)
    expect(onnx.outputs).toEqual([
      { name: 'output', type: ONNX_TYPES.f32, dims: ['B', 385] },
      { name: 'tokens', type: ONNX_TYPES.f32, dims: ['T', 384] },
    ])
  })

  test('is under 64 KB and carries no constant over 1 KB', () => {
    expect(bytes.length).toBeLessThan(64 * 1024)
    const carried = onnx.initializers.flatMap(({ raw }) => (raw === undefined ? [] : [raw.length]))
    expect(carried.length).toBeGreaterThan(0)
    expect(Math.max(...carried)).toBeLessThanOrEqual(1024)
  })

  test('points at the bytes of every tensor it uses, in the dtype and shape they are stored in', () => {
    const file = realpathSync(resolve(BUNDLED, 'model.safetensors'))
    const dtypes: Readonly<Partial<Record<TensorDtype, number>>> = { F32: 1, F16: 10, BF16: 16, I8: 3 }
    const used = Object.entries(spec.tensors).filter(([name]) => !name.startsWith('pooler.'))
    const expected = used.map(([, { byteOffset, byteLength, dtype, shape }]) => ({
      type: dtypes[dtype],
      dims: [...shape],
      external: { location: file.slice(1), offset: String(byteOffset), length: String(byteLength) },
    }))
    const external = onnx.initializers.filter(({ location }) => location === 1)
    const found = external.map(({ type, dims, external }) => ({ type, dims, external }))
    expect(found).toHaveLength(expected.length)
    expect(new Set(found.map((one) => JSON.stringify(one)))).toEqual(
      new Set(expected.map((one) => JSON.stringify(one))),
    )
    const ends = external.map(({ external }) => Number(external['offset']) + Number(external['length']))
    expect(Math.max(...ends)).toBeLessThanOrEqual(statSync(file).size)
  })

  test('has six layers of one attention, four Gemms and two norms', () => {
    const count = (op: string) => onnx.nodes.filter((node) => node.op === op).length
    expect(count('GroupQueryAttention')).toBe(6)
    expect(count('Gemm')).toBe(6 * 4)
    expect(count('LayerNormalization')).toBe(6 * 2 + 1)
    expect(count('Gelu')).toBe(6)
    expect(count('LpNormalization')).toBe(1)
    expect(count('ReduceL2')).toBe(1)
  })
})

test('a graph is built without its files', () => {
  const spec = tinyBert()
  expect(existsSync(spec.tensors['embeddings.LayerNorm.bias']?.file ?? '/')).toBe(false)
  const { graph: _, inputs: __, ...facts } = buildGraph(spec, 'cpu-f32')
  expect(facts).toEqual({
    lengthStep: 1,
    isSparse: false,
    outputWidth: 16,
    vectorWidth: 16,
    tokenWidth: 16,
    maxTokens: 20,
    vocabularySize: 50,
    unusedTensors: [],
  })
})

test('every input, tensor and node of a graph is used', () => {
  for (const options of [{}, { head: CLASSIFIER, tensors: CLASSIFIER_TENSORS }]) {
    const { inputs, initializers, nodes } = readOnnx(encodeGraph(build(options).graph))
    const used = new Set(['output', ...nodes.flatMap((node) => node.inputs)])
    const names = [...inputs, ...initializers].map(({ name }) => name)
    const unused = [...names, ...nodes.flatMap(({ outputs }) => outputs)].filter((name) => !used.has(name))
    expect(unused).toEqual([])
  }
})

test('a spec gives the same bytes each time, also after a thread', () => {
  const spec = tinyBert()
  const bytes = encodeGraph(buildGraph(spec, 'cpu-f32').graph)
  expect(encodeGraph(buildGraph(structuredClone(spec), 'cpu-f32').graph)).toEqual(bytes)
})

test('tensors under the prefix bert. give the same graph', () => {
  const spec = tinyBert()
  expect(buildGraph(prefixed(spec, 'bert.'), 'cpu-f32').graph).toEqual(buildGraph(spec, 'cpu-f32').graph)
})

test('a classifier gives scores and logits and no vectors of tokens, and asks for the first token of each row', () => {
  const spec = tinyBert({ head: CLASSIFIER, tensors: CLASSIFIER_TENSORS })
  const { graph, inputs, outputWidth, vectorWidth, tokenWidth, unusedTensors } = buildGraph(spec, 'cpu-f32')
  const bytes = encodeGraph(graph)
  expect([outputWidth, vectorWidth, tokenWidth]).toEqual([2 * 3, 2 * 3, 0])
  expect(readOnnx(bytes).outputs).toMatchObject([{ name: 'output' }])
  expect(unusedTensors).toEqual([])
  expect(inputs).toContain('first_rows')
  expect(inputs).not.toContain('mean_weights')
  const [concat] = readOnnx(bytes).nodes.slice(-1)
  const scores = readOnnx(bytes).nodes.find(({ outputs }) => outputs[0] === concat?.inputs[0])
  expect(concat).toMatchObject({ op: 'Concat', outputs: ['output'] })
  expect(scores).toMatchObject({ op: 'Softmax', inputs: [concat?.inputs[1]] })
})

test('the head of a prefixed classifier stands without the prefix, its pooler with it', () => {
  const { 'classifier.weight': weight, 'classifier.bias': bias, ...pooler } = CLASSIFIER_TENSORS
  const spec = prefixed(tinyBert({ head: CLASSIFIER, tensors: pooler }), 'bert.')
  const tensors = { ...spec.tensors, 'classifier.weight': weight, 'classifier.bias': bias }
  expect(buildGraph({ ...spec, tensors }, 'cpu-f32').unusedTensors).toEqual([])
})

test('a classifier whose weights are for another number of labels is refused', async () => {
  const head: ModelSpec['head'] = { ...CLASSIFIER, labels: ['a', 'b'] }
  await expectRefusal(
    () => build({ head, tensors: CLASSIFIER_TENSORS }),
    'model_invalid',
    'tiny: tensor classifier.weight has shape [3, 16]; config.json asks for [2, 16]',
  )
})

test('an unknown model_type is refused with those that are supported', async () => {
  await expectRefusal(
    () => build({ config: { model_type: 'gpt_neox' } }),
    'model_unsupported',
    'tiny: model_type "gpt_neox"',
    'supported are: bert',
  )
})

test.each([
  [
    'alibi positions',
    { position_embedding_type: 'alibi' },
    'position_embedding_type "alibi"',
    '"absolute" only',
  ],
  ['relative positions', { position_embedding_type: 'relative_key' }, '"relative_key"', '"absolute" only'],
  ['a decoder', { is_decoder: true }, 'is_decoder true', 'false only'],
])('%s are refused as unsupported', async (_, config, value, allowed) => {
  await expectRefusal(() => build({ config }), 'model_unsupported', 'tiny: config.json has', value, allowed)
})

test.each([
  ['an unknown activation', { hidden_act: 'mish' }, 'hidden_act in config.json is "mish"', 'gelu_new'],
  ['no width', { hidden_size: undefined }, 'hidden_size in config.json is missing', 'whole number'],
  ['a width that is a text', { vocab_size: '50' }, 'vocab_size in config.json is "50"', 'whole number'],
  [
    'heads that do not divide the width',
    { num_attention_heads: 5 },
    'hidden_size in config.json is 16',
    'a multiple of 5',
  ],
])('a config.json with %s is refused', async (_, config, what, wanted) => {
  const spec = { ...tinyBert(), config: { ...TINY, ...config } }
  await expectRefusal(() => buildGraph(spec, 'cpu-f32'), 'model_invalid', what, wanted)
})

test.each([
  [
    'more rows',
    { vocab_size: 51 },
    'embeddings.word_embeddings.weight has shape [50, 16]',
    'asks for [51, 16]',
  ],
  [
    'more positions',
    { max_position_embeddings: 40 },
    'position_embeddings.weight has shape [20, 16]',
    '[40, 16]',
  ],
  ['a wider middle', { intermediate_size: 48 }, 'encoder.layer.0.intermediate.dense.weight', '[48, 16]'],
  [
    'more layers',
    { num_hidden_layers: 3 },
    'tensor encoder.layer.2.attention.self.query.weight is missing',
    '',
  ],
  ['fewer layers', { num_hidden_layers: 1 }, 'architecture lacks: encoder.layer.1.', 'and 11 more'],
])('a config.json that asks for %s than the weights hold is refused', async (_, config, what, wanted) => {
  const spec = { ...tinyBert(), config: { ...TINY, ...config } }
  await expectRefusal(() => buildGraph(spec, 'cpu-f32'), 'model_invalid', 'tiny: ', what, wanted)
})
