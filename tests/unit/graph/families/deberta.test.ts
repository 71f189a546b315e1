import { expect, test } from 'vitest'
import { ConfigReader } from '../../../../src/graph/config-reader.ts'
import { deberta } from '../../../../src/graph/families/deberta.ts'
import { expectRefusal } from '../../model/expect-refusal.ts'
import { TINY } from '../tiny-bert.ts'

const V3 = {
  max_position_embeddings: 40,
  relative_attention: true,
  position_buckets: 16,
  share_att_key: true,
  norm_rel_ebd: 'layer_norm',
  pos_att_type: 'p2c|c2p',
}

function plan(config: Readonly<Record<string, unknown>>) {
  return deberta.plan(new ConfigReader('tiny', { ...TINY, ...config }))
}

function biasOf(config: Readonly<Record<string, unknown>>) {
  const bias = plan(config).layers[1]?.attention.bias
  if (bias?.kind !== 'disentangled') throw new Error('there is no bias of distances')
  return bias
}

/** First distance of each bucket, as transformers 5.23 computes them in float32. */
const FIRST_DISTANCES = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 16, 20, 25, 32, 40]

test('distances take the rows of the reference, queries after keys the upper ones', () => {
  const { table, bucketOf } = biasOf(V3)
  expect(table).toEqual({ name: 'encoder.rel_embeddings', rows: 32 })
  for (let distance = 0; distance <= 60; distance++) {
    const bucket = FIRST_DISTANCES.findLastIndex((first) => first <= distance)
    expect(bucketOf(-distance)).toBe(Math.min(16 + bucket, 31))
    expect(bucketOf(distance)).toBe(16 - bucket)
  }
})

test('without buckets a row stands for each distance, the last for all beyond', () => {
  const { table, bucketOf } = biasOf({ ...V3, position_buckets: -1, max_relative_positions: 5 })
  expect(table.rows).toBe(10)
  expect([-9, -5, -4, 0, 4, 5, 9].map(bucketOf)).toEqual([9, 9, 9, 5, 1, 0, 0])
})

test('distances are projected as tokens are where keys are shared, else by projections of their own', () => {
  const self = 'encoder.layer.1.attention.self'
  expect(biasOf(V3)).toMatchObject({
    key: { name: `${self}.key_proj` },
    query: { name: `${self}.query_proj` },
    norm: { name: 'encoder.LayerNorm' },
  })
  const own = biasOf({ ...V3, share_att_key: false, norm_rel_ebd: 'none', pos_att_type: ['c2p'] })
  expect(own.key?.name).toBe(`${self}.pos_key_proj`)
  expect(own.query).toBeUndefined()
  expect(own.norm).toBeUndefined()
})

test('scores are divided by one part for the tokens and one for each kind of distances', () => {
  const scaleOf = (config: object) => plan({ ...V3, ...config }).layers[0]?.attention.scale
  expect(scaleOf({})).toBeCloseTo(1 / Math.sqrt(8 * 3), 12)
  expect(scaleOf({ pos_att_type: ['p2c'] })).toBeCloseTo(1 / Math.sqrt(8 * 2), 12)
  expect(scaleOf({ relative_attention: false })).toBeCloseTo(1 / Math.sqrt(8 * 3), 12)
  expect(scaleOf({ pos_att_type: null })).toBeCloseTo(1 / Math.sqrt(8), 12)
})

test.each([
  [{ pos_att_type: 'c2p|p2p' }, 'model_invalid', 'pos_att_type'],
  [{ pos_att_type: 7 }, 'model_invalid', 'pos_att_type'],
  [{ norm_rel_ebd: 'batch_norm' }, 'model_invalid', 'norm_rel_ebd'],
  [{ attention_head_size: 64 }, 'model_unsupported', 'attention_head_size'],
  [{ conv_kernel_size: 4 }, 'model_unsupported', 'conv_kernel_size'],
  [{ conv_kernel_size: 3, conv_groups: 2 }, 'model_unsupported', 'conv_groups'],
  [{ position_buckets: 80 }, 'model_invalid', 'max_position_embeddings in config.json is 40'],
] as const)('%j is refused', async (config, code, name) => {
  await expectRefusal(() => plan({ ...V3, ...config }), code, name)
})

test('a pooler of another width is refused', async () => {
  const config = new ConfigReader('tiny', { ...TINY, pooler_hidden_size: 99 })
  await expectRefusal(() => deberta.classifier?.(config), 'model_unsupported', 'pooler_hidden_size')
})
