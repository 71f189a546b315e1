import { expect, test } from 'vitest'
import { buildGraph } from '../../../src/graph/build.ts'
import { neededFiles } from '../../../src/model/needed-files.ts'
import { openFolder } from '../../../src/model/open-folder.ts'
import { expectRefusal } from './expect-refusal.ts'
import { copyFixture, makeFolder } from './model-folder.ts'
import { checkpoint, floatTensor } from './torch-bytes.ts'

const TYPE = 'sentence_transformers.models.StaticEmbedding'
const MODULES = [{ idx: 0, name: '0', path: 'table', type: TYPE }]
const TOKENIZER = { version: '1.0', truncation: null, model: {} }

interface Numbers {
  readonly dtype: string
  readonly shape: readonly number[]
  readonly bytes: Uint8Array
}

function numbers(dtype: string, values: NodeJS.TypedArray, shape = [values.length]): Numbers {
  return { dtype, shape, bytes: new Uint8Array(values.buffer) }
}

function safetensors(tensors: Readonly<Record<string, Numbers>>): Uint8Array {
  let end = 0
  const header = Object.fromEntries(
    Object.entries(tensors).map(([name, { dtype, shape, bytes }]) => {
      const begin = end
      end += bytes.length
      return [name, { dtype, shape, data_offsets: [begin, end] }]
    }),
  )
  const json = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(json.length))
  return Buffer.concat([length, json, ...Object.values(tensors).map(({ bytes }) => bytes)])
}

const EMBEDDINGS = numbers('F32', Float32Array.from({ length: 6 }), [3, 2])

function model2vec(tensors: Readonly<Record<string, Numbers>>) {
  return makeFolder({
    'modules.json': MODULES,
    'table/tokenizer.json': TOKENIZER,
    'table/model.safetensors': safetensors({ embeddings: EMBEDDINGS, ...tensors }),
  })
}

test('sizes are those of the table, ids those of the mapping', async () => {
  const mapping = numbers('I64', BigInt64Array.of(2n, 0n, 1n, 2n, 2n))
  const spec = await openFolder(await model2vec({ mapping }))
  expect(spec).toMatchObject({ modelType: 'static', config: { vocab_size: 5, rows: 3, hidden_size: 2 } })
  expect(spec.config['row_of']).toEqual(Int32Array.of(2, 0, 1, 2, 2))
  expect(spec.tokenizer).toMatchObject({ isBare: true, vocabularySize: 5, maxTokens: undefined })
  expect(buildGraph(spec, 'cpu-f32')).toMatchObject({ vocabularySize: 5, vectorWidth: 2 })
})

test('mapping and weights are read from whichever file holds them', async () => {
  const mapping = BigInt64Array.of(2n, 0n)
  const weights = Float32Array.of(0.5, 2)
  const files = { 'modules.json': MODULES, 'table/tokenizer.json': TOKENIZER }
  const sharded = await makeFolder({
    ...files,
    'table/model.safetensors.index.json': {
      weight_map: { embeddings: '1.safetensors', mapping: '2.safetensors', weights: '1.safetensors' },
    },
    'table/1.safetensors': safetensors({ embeddings: EMBEDDINGS, weights: numbers('F32', weights) }),
    'table/2.safetensors': safetensors({ mapping: numbers('I64', mapping) }),
  })
  const type = 'LongStorage'
  const pickled = await makeFolder({
    ...files,
    'table/pytorch_model.bin': checkpoint({
      embeddings: floatTensor([3, 2], [0, 1, 2, 3, 4, 5]),
      mapping: floatTensor([2], [], { type, bytes: new Uint8Array(mapping.buffer), elements: 2 }),
      weights: floatTensor([2], [...weights]),
    }),
  })
  for (const folder of [sharded, pickled]) {
    const { config } = await openFolder(folder)
    expect(config['row_of']).toEqual(Int32Array.of(2, 0))
    expect(config['weights']).toEqual(weights)
  }
})

test.each([
  ['I32', Int32Array.of(1, -2, 3)],
  ['F16', Float16Array.of(1, -2, 3)],
  ['BF16', Uint16Array.of(0x3f80, 0xc000, 0x4040)],
  ['F64', Float64Array.of(1, -2, 3)],
])('weights of %s are the numbers that they stand for', async (dtype, values) => {
  const { config } = await openFolder(await model2vec({ weights: numbers(dtype, values) }))
  expect(config['weights']).toEqual(Float32Array.of(1, -2, 3))
})

test('weights that are no vector are refused with their shape', async () => {
  const folder = await model2vec({ weights: numbers('F32', new Float32Array(3), [3, 1]) })
  await expectRefusal(() => openFolder(folder), 'model_invalid', 'tensor weights [3, 1] is no vector')
})

test('the limit and the side of tokenizer.json hold', async () => {
  const { tokenizer } = await openFolder(await copyFixture('static/static-truncation-dense'))
  expect(tokenizer).toMatchObject({ maxTokens: 20, truncationSide: 'left' })
})

test('a mapping to a row that is not there is refused', async () => {
  const mapping = numbers('I32', Int32Array.of(0, 3))
  const folder = await model2vec({ mapping })
  await expectRefusal(() => openFolder(folder), 'model_invalid', 'id 1 row 3', '3 rows')
  const negative = await model2vec({ mapping: numbers('I32', Int32Array.of(-1)) })
  await expectRefusal(() => openFolder(negative), 'model_invalid', 'id 0 row -1')
})

test('weights of another number of ids are refused', async () => {
  const folder = await model2vec({ weights: numbers('F32', Float32Array.of(1, 2)) })
  await expectRefusal(() => openFolder(folder), 'model_invalid', 'weights has 2 numbers for 3 ids')
})

test('weights of a dtype that is not read, or whose bytes are not theirs, are refused', async () => {
  const bool = await model2vec({ weights: { dtype: 'BOOL', shape: [3], bytes: new Uint8Array(3) } })
  await expectRefusal(() => openFolder(bool), 'model_unsupported', 'tensor weights is BOOL')
  const short = await model2vec({ weights: { dtype: 'F32', shape: [3], bytes: new Uint8Array(8) } })
  await expectRefusal(() => openFolder(short), 'model_invalid', 'tensor weights [3]')
})

test('a folder without a table or without a tokenizer is refused', async () => {
  const files = { 'modules.json': MODULES, 'table/tokenizer.json': TOKENIZER }
  const other = await makeFolder({ ...files, 'table/model.safetensors': safetensors({ other: EMBEDDINGS }) })
  await expectRefusal(() => openFolder(other), 'model_invalid', 'embedding.weight')
  const mute = await makeFolder({
    'modules.json': MODULES,
    'table/model.safetensors': safetensors({ embeddings: EMBEDDINGS }),
  })
  await expectRefusal(() => openFolder(mute), 'model_invalid', 'tokenizer.json is missing')
})

test('of a repository only the table and the tokenizer are fetched', async () => {
  const files = ['modules.json', 'config.json', 'table/tokenizer.json', 'table/model.safetensors']
  const needed = await neededFiles({
    model: 'some/model',
    has: async (path) => files.includes(path),
    read: async () => JSON.stringify(MODULES),
    exports: [],
  })
  expect(needed.files.toSorted()).toEqual(['modules.json', 'table/model.safetensors', 'table/tokenizer.json'])
})
