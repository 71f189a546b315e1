/** What a graph makes of an exported model's outputs, and which of those it reads. */
import { describe, expect, test } from 'vitest'
import { CPU } from '../../../src/devices/device.ts'
import { buildGraph } from '../../../src/graph/build.ts'
import { chooseTarget } from '../../../src/graph/choose-target.ts'
import type { ExportedModel, ExportedValue } from '../../../src/model/exported-spec.ts'
import type { EmbeddingStep, Head, ModelSpec } from '../../../src/model/spec.ts'
import { expectRefusal } from '../model/expect-refusal.ts'
import { ref, tinyBert } from './tiny-bert.ts'

const MEAN: EmbeddingStep = { kind: 'pooling', modes: ['mean'], includePrompt: true }
const NORMALIZE: EmbeddingStep = { kind: 'normalize' }
const EMBEDDING: Head = { kind: 'embedding', steps: [MEAN, NORMALIZE] }
const SCORES: Head = { kind: 'classification', labels: ['a', 'b'], activation: 'softmax' }

const free = (name: string, type = 'int64'): ExportedValue => ({ name, type, shape: [undefined, undefined] })
const IDS = free('input_ids')
const MASK = free('attention_mask')
const STATES: ExportedValue = { name: 'last_hidden_state', type: 'float32', shape: [undefined, undefined, 8] }
const VECTOR: ExportedValue = { name: 'sentence_embedding', type: 'float32', shape: [undefined, 6] }
const LOGITS: ExportedValue = { name: 'logits', type: 'float32', shape: [undefined, 2] }

interface Facts extends Partial<ExportedModel> {
  readonly head?: Head
  readonly config?: object
  readonly modelType?: string
}

function specOf({ head = EMBEDDING, config = {}, modelType = 'somebert', ...facts }: Facts = {}): ModelSpec {
  const own = { inputs: [IDS, MASK], outputs: [STATES], stored: { float32: 4e6 }, ...facts }
  const exported: ExportedModel = {
    file: '/x/onnx/model.onnx',
    name: 'onnx/model.onnx',
    dtype: 'fp32',
    ...own,
  }
  return { ...tinyBert(), tensors: {}, modelType, config: { vocab_size: 50, ...config }, head, exported }
}

function build(facts: Facts = {}) {
  return buildGraph(specOf(facts), 'cpu-f32')
}

function refused(facts: Facts, ...parts: string[]): Promise<void> {
  return expectRefusal(() => build(facts), 'model_unsupported', 'onnx/model.onnx', ...parts)
}

test('a model of a family that is unknown here is served as well', () => {
  const { body, inputs, vectorWidth, outputWidth, tokenWidth, vocabularySize } = build()
  expect(body?.output).toEqual({ name: 'last_hidden_state', shape: ['B', 'S', 8] })
  expect(inputs).toEqual(['packed_rows', 'mean_weights', 'padded_ids', 'padded_seen'])
  expect({ vectorWidth, outputWidth, tokenWidth, vocabularySize }).toEqual({
    vectorWidth: 8,
    outputWidth: 9,
    tokenWidth: 8,
    vocabularySize: 50,
  })
})

test('inputs are fed by their names, in the width that they ask for', () => {
  const inputs = [free('position_ids', 'int32'), IDS, free('token_type_ids'), MASK]
  expect(build({ inputs }).body?.inputs).toEqual([
    { name: 'position_ids', role: 'padded_positions', dtype: 'i32' },
    { name: 'input_ids', role: 'padded_ids', dtype: 'i64' },
    { name: 'token_type_ids', role: 'padded_types', dtype: 'i64' },
    { name: 'attention_mask', role: 'padded_seen', dtype: 'i64' },
  ])
})

describe('an input is refused that', () => {
  test('is of a decoder', () =>
    refused(
      { inputs: [IDS, MASK, free('past_key_values.0.key', 'float32')] },
      'the input past_key_values.0.key',
    ))
  test('is called like a property of every object', () =>
    refused({ inputs: [IDS, MASK, free('toString')] }, 'the input toString'))
  test('is no integer', () =>
    refused({ inputs: [IDS, free('attention_mask', 'bool')] }, 'attention_mask of bool'))
  test('has a size of its own', () =>
    refused({ inputs: [{ ...IDS, shape: [1, 128] }, MASK] }, 'input_ids of the shape [1, 128]'))
  test('counts positions in a way that is not known', () =>
    refused(
      { inputs: [IDS, MASK, free('position_ids')], modelType: 'xlm-roberta' },
      'position_ids',
      'xlm-roberta',
    ))
})

test.each(['input_ids', 'attention_mask'])('a model without %s is refused', (name) =>
  refused({ inputs: [IDS, MASK].filter((input) => input.name !== name) }, `no input ${name}`),
)

describe('of the outputs', () => {
  const outputOf = (...outputs: ExportedValue[]) => build({ outputs }).body?.output.name

  test('the tokens are read, whatever else there is', () => {
    const pooled = { ...VECTOR, name: 'pooler_output' }
    expect(outputOf(VECTOR, pooled, STATES)).toBe('last_hidden_state')
    expect(outputOf(VECTOR, { ...STATES, name: 'token_embeddings' })).toBe('token_embeddings')
  })

  test('the only one of three dimensions is taken for the tokens', () => {
    expect(outputOf(VECTOR, { ...STATES, name: 'output_0' })).toBe('output_0')
  })

  test('the vector is read where there are no tokens', () => {
    const { body, vectorWidth, outputWidth, tokenWidth, inputs, graph } = build({ outputs: [VECTOR] })
    expect(body?.output).toEqual({ name: 'sentence_embedding', shape: ['B', 6] })
    expect([vectorWidth, outputWidth, tokenWidth]).toEqual([6, 7, 0])
    expect(inputs).toEqual(['padded_ids', 'padded_seen'])
    expect(graph.nodes.map(({ op }) => op)).not.toContain('MatMul')
    const plain: Head = { kind: 'embedding', steps: [MEAN] }
    expect(build({ outputs: [VECTOR], head: plain })).toMatchObject({ vectorWidth: 6, outputWidth: 6 })
  })

  test('what a pooler makes is none of them', () =>
    refused(
      { outputs: [{ ...VECTOR, name: 'pooler_output' }] },
      'pooler_output',
      'sentence_embedding is needed',
    ))

  test('bfloat16 is refused, and so is a vector of tokens', async () => {
    await refused({ outputs: [{ ...STATES, type: 'bfloat16' }] }, 'last_hidden_state of bfloat16')
    await refused(
      { outputs: [{ ...STATES, shape: [undefined, 8] }] },
      'last_hidden_state of the shape [?, 8]',
    )
  })

  test('the width that the file leaves open is told by config.json, or nobody', async () => {
    const open = [{ ...STATES, shape: [undefined, undefined, undefined] }]
    expect(build({ outputs: open, config: { hidden_size: 12 } }).vectorWidth).toBe(12)
    expect(build({ outputs: open, config: { dim: 16 } }).vectorWidth).toBe(16)
    await refused({ outputs: open }, 'how many numbers')
  })

  test('a classifier’s logits become scores', () => {
    const { body, vectorWidth, graph, tokenWidth } = build({ outputs: [STATES, LOGITS], head: SCORES })
    expect(body?.output).toEqual({ name: 'logits', shape: ['B', 2] })
    expect([vectorWidth, tokenWidth]).toEqual([4, 0])
    expect(graph.nodes.map(({ op }) => op)).toEqual(['Softmax', 'Concat'])
  })

  test('logits of other labels than config.json’s are refused', () =>
    expectRefusal(
      () => build({ outputs: [{ ...LOGITS, shape: [undefined, 3] }], head: SCORES }),
      'model_invalid',
      'gives 3 numbers as logits',
      'list of labels has 2',
    ))
})

describe('a head is refused that an exported model tells too little for', () => {
  const embedding = (changes: Partial<Extract<Head, { kind: 'embedding' }>>): Head => ({
    kind: 'embedding',
    steps: [MEAN],
    ...changes,
  })
  const lexical = { weight: ref([1, 8]), bias: ref([1]), skippedIds: [] }

  test.each<[string, Head]>([
    ['a sparse model', { kind: 'sparse', pooling: 'max', logarithms: 1 }],
    ['a reranker that is asked', { ...SCORES, answers: { yes: 1, no: 2, divisor: 1 } }],
    ['an average of layers', embedding({ steps: [{ kind: 'layers', weights: ref([2]), start: 0 }, MEAN] })],
  ])('%s', (what, head) => refused({ head }, `${what} is supported with weights`))

  test.each<[string, Head]>([
    ['a choice of pipelines', embedding({ routes: [{ tasks: ['query'], steps: [MEAN] }] })],
    ['a model that gives something for each token', embedding({ lexical })],
    ['a pooling without the prompt', embedding({ steps: [{ ...MEAN, includePrompt: false }] })],
  ])('%s, by a vector alone', async (what, head) => {
    await refused({ head, outputs: [VECTOR] }, `${what} is supported with weights`)
    expect(build({ head }).vectorWidth).toBe(8)
  })
})

test('a text may have as many tokens as there are positions', () => {
  expect(build({ config: { max_position_embeddings: 512 } }).maxTokens).toBe(512)
  expect(
    build({ config: { max_position_embeddings: 514, pad_token_id: 1 }, modelType: 'roberta' }).maxTokens,
  ).toBe(512)
  expect(build().maxTokens).toBe(Infinity)
})

test('rows are filled up with the padding token, if it is one of the vocabulary', () => {
  expect(build({ config: { pad_token_id: 3 } }).padId).toBe(3)
  for (const id of [50, -1, null, 1.5, [3]])
    expect(build({ config: { pad_token_id: id } }).padId).toBeUndefined()
})

test('the head runs in float32, and a file that is not what was asked for is said', () => {
  const gpu = {
    kind: 'cuda',
    index: 0,
    name: 'T4',
    totalBytes: 1,
    freeBytes: 1,
    computeCapability: 90,
  } as const
  const half = specOf({ dtype: 'fp16', name: 'onnx/model_fp16.onnx', modelType: 'unknown' })
  expect(chooseTarget(half, 'auto', gpu)).toEqual({ target: 'cuda-f32' })
  expect(chooseTarget(half, 'fp16', CPU)).toEqual({ target: 'cpu-f32' })
  expect(chooseTarget(half, 'int8', CPU)).toEqual({
    target: 'cpu-f32',
    replaced: {
      used: 'fp16',
      reason: expect.stringContaining('onnx/model_fp16.onnx is the nearest') as string,
    },
  })
})
