import { expect, test } from 'vitest'
import { buildGraph } from '../../../src/graph/build.ts'
import type { SparseHead } from '../../../src/model/spec.ts'
import { expectRefusal } from '../model/expect-refusal.ts'
import { ref, tinyBert } from './tiny-bert.ts'

const V = 9000
const HEAD: SparseHead = { kind: 'sparse', pooling: 'max', logarithms: 1 }

function sparse(head = HEAD, tensors = {}) {
  const parts = {
    'cls.predictions.transform.dense.weight': ref([16, 16]),
    'cls.predictions.transform.dense.bias': ref([16]),
    'cls.predictions.transform.LayerNorm.weight': ref([16]),
    'cls.predictions.transform.LayerNorm.bias': ref([16]),
    'cls.predictions.bias': ref([V]),
  }
  return tinyBert({ config: { vocab_size: V }, head, tensors: { ...parts, ...tensors } })
}

test('the logits of a large vocabulary are made in blocks, whose weights lie where the table lies', () => {
  const spec = sparse()
  const { graph, outputWidth, isSparse } = buildGraph(spec, 'cpu-f32')
  expect([outputWidth, isSparse]).toEqual([V, true])
  const table = spec.tensors['embeddings.word_embeddings.weight']
  const start = table?.byteOffset ?? 0
  const blocks = graph.initializers.flatMap(({ value, source }) =>
    'byteOffset' in source && value.shape[0] !== V && source.byteOffset >= start
      ? [[source.byteOffset - start, value.shape.join()]]
      : [],
  )
  expect(blocks).toEqual(
    expect.arrayContaining([
      [0, '4096,16'],
      [4096 * 16 * 4, '4096,16'],
      [8192 * 16 * 4, '808,16'],
    ]),
  )
})

test("a decoder of its own comes before the embedding table, and the decoder's bias before that of the head", () => {
  const decoder = ref([V, 16])
  const bias = ref([V])
  const spec = sparse(HEAD, {
    'cls.predictions.decoder.weight': decoder,
    'cls.predictions.decoder.bias': bias,
  })
  const { graph, unusedTensors } = buildGraph(spec, 'cpu-f32')
  const offsets = graph.initializers.map(({ source }) => ('byteOffset' in source ? source.byteOffset : -1))
  expect(offsets).toContain(decoder.byteOffset + 8192 * 16 * 4)
  expect(offsets).toContain(bias.byteOffset)
  expect(unusedTensors).toContain('cls.predictions.bias')
})

test('a model without a head is refused by the tensor that it lacks', async () => {
  await expectRefusal(
    () => buildGraph(tinyBert({ head: HEAD }), 'cpu-f32'),
    'model_invalid',
    'cls.predictions.transform.dense.weight is missing',
  )
})
