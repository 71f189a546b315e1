import { expect, test } from 'vitest'
import { ConfigReader } from '../../../../src/graph/config-reader.ts'
import { mt5, t5, umt5 } from '../../../../src/graph/families/t5.ts'
import { expectRefusal } from '../../model/expect-refusal.ts'

const TINY_T5 = { d_model: 16, d_ff: 24, num_layers: 2, num_heads: 2, vocab_size: 50 }

function reader(config: Readonly<Record<string, unknown>>) {
  return new ConfigReader('tiny', { ...TINY_T5, ...config })
}

function feedForward(family: typeof t5, config: Readonly<Record<string, unknown>>) {
  return family.plan(reader(config)).layers[0]?.feedForward
}

test('a gated gelu is the approximation, a plain one is exact', () => {
  expect(feedForward(t5, { feed_forward_proj: 'gated-gelu' })).toMatchObject({
    kind: 'gated',
    activation: 'gelu_tanh',
  })
  expect(feedForward(t5, { feed_forward_proj: 'gelu' })).toMatchObject({ kind: 'plain', activation: 'gelu' })
  expect(feedForward(t5, { feed_forward_proj: 'gated-silu' })).toMatchObject({
    kind: 'gated',
    activation: 'silu',
  })
})

test('what is not named is relu in T5, and a gated gelu in its successors', () => {
  expect(feedForward(t5, {})).toMatchObject({ kind: 'plain', activation: 'relu' })
  for (const family of [mt5, umt5]) {
    expect(feedForward(family, {})).toMatchObject({ kind: 'gated', activation: 'gelu_tanh' })
  }
})

test('only UMT5 has a table of distances in every layer', () => {
  const layersOf = (family: typeof t5) =>
    family.plan(reader({})).layers.map(({ attention: { bias } }) => {
      return bias?.kind === 'relative' ? /block\.(\d+)\./.exec(bias.table.name)?.[1] : undefined
    })
  expect(layersOf(t5)).toEqual(['0', '0'])
  expect(layersOf(mt5)).toEqual(['0', '0'])
  expect(layersOf(umt5)).toEqual(['0', '1'])
})

test('an activation that is not known is refused', async () => {
  await expectRefusal(
    () => t5.plan(reader({ feed_forward_proj: 'gated-cubic' })),
    'model_invalid',
    'gated-cubic',
  )
})

test('distances that end before their logarithms begin are refused', async () => {
  const far = { relative_attention_num_buckets: 32, relative_attention_max_distance: 8 }
  await expectRefusal(
    () => t5.plan(reader(far)),
    'model_invalid',
    'relative_attention_max_distance in config.json is 8',
    'at least 9',
  )
})
