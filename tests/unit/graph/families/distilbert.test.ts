import { expect, test } from 'vitest'
import { ConfigReader } from '../../../../src/graph/config-reader.ts'
import { distilbert } from '../../../../src/graph/families/distilbert.ts'
import { expectRefusal } from '../../model/expect-refusal.ts'

const OWN = { dim: 16, n_heads: 2, n_layers: 3, hidden_dim: 24, max_position_embeddings: 20, vocab_size: 50 }

function plan(config: Readonly<Record<string, unknown>>) {
  return distilbert.plan(new ConfigReader('tiny', config))
}

test('the common names of sizes mean the same as its own', () => {
  const { dim, n_heads: heads, n_layers: layers, ...rest } = OWN
  const common = { ...rest, hidden_size: dim, num_attention_heads: heads, num_hidden_layers: layers }
  expect(plan(common)).toEqual(plan(OWN))
})

test('the epsilon of its norms is no setting', () => {
  const { embeddings, layers } = plan({ ...OWN, layer_norm_eps: 1e-3 })
  const norms = [embeddings.norm, ...layers.flatMap(({ norms }) => [norms.attention, norms.feedForward])]
  expect(norms.map((norm) => norm?.epsilon)).toEqual(Array.from({ length: 7 }, () => 1e-12))
})

test.each([
  ['no width', { dim: undefined }, 'dim in config.json is missing'],
  ['heads that do not divide the width', { n_heads: 3 }, 'dim in config.json is 16'],
  ['an unknown activation', { activation: 'mish' }, 'activation in config.json is "mish"'],
])('a config.json with %s is refused', async (_, config, what) => {
  await expectRefusal(() => plan({ ...OWN, ...config }), 'model_invalid', what)
})
