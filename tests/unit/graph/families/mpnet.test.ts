import { expect, test } from 'vitest'
import { ConfigReader } from '../../../../src/graph/config-reader.ts'
import { mpnet } from '../../../../src/graph/families/mpnet.ts'
import { expectRefusal } from '../../model/expect-refusal.ts'
import { TINY } from '../tiny-bert.ts'

function plan(config: Readonly<Record<string, unknown>>) {
  return mpnet.plan(new ConfigReader('tiny', { ...TINY, ...config }))
}

/** First distance of each bucket, as transformers 5.23 computes them in float32. */
const FIRST_DISTANCES = [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91]

test('distances fall into the buckets of the reference', () => {
  const bias = plan({}).layers[0]?.attention.bias
  if (bias?.kind !== 'relative') throw new Error('there are no buckets')
  for (let distance = 0; distance <= 600; distance++) {
    const bucket = FIRST_DISTANCES.findLastIndex((first) => first <= distance)
    expect(bias.bucketOf(-distance)).toBe(bucket)
    if (distance > 0) expect(bias.bucketOf(distance)).toBe(16 + bucket)
  }
})

test('positions start after the padding token 1, whatever config.json calls it', () => {
  const { maxTokens, embeddings } = plan({ max_position_embeddings: 514, pad_token_id: 0 })
  expect(maxTokens).toBe(512)
  expect(embeddings.positions).toMatchObject({ rows: 514, skip: 1, padId: 1 })
})

test('all layers share one table of biases', () => {
  const { layers } = plan({})
  const tables = layers.map(({ attention }) => attention.bias)
  expect(tables).toHaveLength(2)
  expect(tables[0]).toMatchObject({
    kind: 'relative',
    table: { name: 'encoder.relative_attention_bias', rows: 32 },
  })
  expect(tables[1]).toBe(tables[0])
})

test('a table with fewer buckets than distances fall into is refused', async () => {
  await expectRefusal(
    () => plan({ relative_attention_num_buckets: 16 }),
    'model_invalid',
    'relative_attention_num_buckets in config.json is 16',
    'at least 32',
  )
})

test('a position table without a row after the padding token is refused', async () => {
  await expectRefusal(
    () => plan({ max_position_embeddings: 2 }),
    'model_invalid',
    'max_position_embeddings',
    'at least 3',
  )
})
