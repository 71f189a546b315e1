import { expect, test } from 'vitest'
import { ConfigReader } from '../../../../src/graph/config-reader.ts'
import { siglip } from '../../../../src/graph/families/siglip.ts'
import { readBody } from '../../../../src/graph/towers/siglip.ts'
import { expectRefusal } from '../../model/expect-refusal.ts'

type Settings = Readonly<Record<string, unknown>>

const reader = (settings: Settings) => new ConfigReader('tiny', settings)

/** What transformers 5.23 has for a section that says nothing. */
const USUAL = { heads: 12, headWidth: 64, causal: false }

test('texts have the sizes of transformers where a folder says nothing', () => {
  const plan = siglip.plan(reader({}))
  expect(plan).toMatchObject({ hiddenSize: 768, vocabularySize: 32_000, maxTokens: 64, order: 'pre' })
  expect(plan.embeddings.positions).toEqual({ name: 'embeddings.position_embedding', rows: 64, skip: 0 })
  expect(plan.layers).toHaveLength(12)
  expect(plan.layers[0]?.attention).toMatchObject(USUAL)
  expect(plan.layers[0]?.feedForward).toMatchObject({ kind: 'plain', width: 3072, activation: 'gelu_tanh' })
  expect('finalNorm' in plan && plan.finalNorm.epsilon).toBe(1e-6)
})

test('pictures have them too, and the probe that pools them', () => {
  const { layers, pooling } = readBody(reader({}))
  expect(layers).toMatchObject({ hiddenSize: 768, finalNorm: { name: 'post_layernorm', epsilon: 1e-6 } })
  expect(layers.layers[11]?.attention).toMatchObject(USUAL)
  expect(pooling).toMatchObject({ heads: 12, width: 3072, activation: 'gelu_tanh', norm: { epsilon: 1e-6 } })
})

test('heads that do not share the width are refused', async () => {
  await expectRefusal(
    () => siglip.plan(reader({ hidden_size: 770 })),
    'model_invalid',
    '770',
    'multiple of 12',
  )
})
