import { describe, expect, test } from 'vitest'
import { ConfigReader } from '../../../../src/graph/config-reader.ts'
import { nomic, nomicRenamed } from '../../../../src/graph/families/nomic.ts'
import { findFamily } from '../../../../src/graph/families/registry.ts'
import { expectRefusal } from '../../model/expect-refusal.ts'
import { ref, tinyBert } from '../tiny-bert.ts'

type Json = Readonly<Record<string, unknown>>

const ORIGINAL = {
  vocab_size: 50,
  n_embd: 32,
  n_head: 4,
  n_layer: 2,
  n_inner: 48,
  n_positions: 8192,
  activation_function: 'swiglu',
}

function plan(config: Json = {}) {
  return nomic.plan(new ConfigReader('tiny', { ...ORIGINAL, ...config }))
}

describe('the names of its tensors', () => {
  test.each([
    ['emb_ln.weight', nomic],
    ['nomic_bert.emb_ln.weight', nomic],
    ['embeddings.LayerNorm.weight', nomicRenamed],
  ])('with %s are found by that tensor', (name, family) => {
    const spec = { ...tinyBert(), modelType: 'nomic_bert', tensors: { [name]: ref([32]) } }
    expect(findFamily(spec)).toBe(family)
  })
})

describe('the first form of its settings', () => {
  test('has biases unless it says otherwise', () => {
    expect(plan().layers[0]?.attention.query).toMatchObject({ bias: true, part: [0, 3] })
    expect(plan({ qkv_proj_bias: false }).layers[0]?.attention.query.bias).toBe(false)
    expect(plan({ mlp_fc1_bias: false }).layers[0]?.feedForward).toMatchObject({ down: { bias: true } })
    expect(plan({ mlp_fc2_bias: false }).layers[0]?.feedForward).toMatchObject({ down: { bias: false } })
  })

  test('gates by fc12, not by fc11', () => {
    expect(plan().layers[1]?.feedForward).toMatchObject({
      kind: 'gated',
      gate: { name: 'encoder.layers.1.mlp.fc12' },
      up: { name: 'encoder.layers.1.mlp.fc11' },
    })
  })

  test('may have no token types', () => {
    expect(plan({ type_vocab_size: 0 }).embeddings.types).toBeUndefined()
    expect(plan().embeddings.types?.rows).toBe(2)
  })

  test('cuts texts to the trained length where longer ones turn by other angles', () => {
    expect(plan().maxTokens).toBe(8192)
    expect(plan({ rotary_scaling_factor: 2 }).maxTokens).toBe(2048)
    expect(plan({ rotary_scaling_factor: 2, max_trained_positions: 512 }).maxTokens).toBe(512)
  })

  test.each([
    ['prenorm', true],
    ['causal', true],
    ['rotary_emb_fraction', 0.5],
    ['rotary_emb_interleaved', true],
  ])('with %s %s is refused', async (key, value) => {
    await expectRefusal(() => plan({ [key]: value }), 'model_unsupported', `${key} ${value}`)
  })
})

describe('experts', () => {
  const EXPERTS = { num_experts: 4, moe_top_k: 2, activation_function: 'gelu', n_layer: 4 }

  test('stand in every second layer, and the others have plain steps', () => {
    const kinds = plan(EXPERTS).layers.map(({ feedForward }) => feedForward.kind)
    expect(kinds).toEqual(['plain', 'experts', 'plain', 'experts'])
    const third = plan({ ...EXPERTS, moe_every_n_layers: 3 }).layers.map(
      ({ feedForward }) => feedForward.kind,
    )
    expect(third).toEqual(['plain', 'experts', 'plain', 'plain'])
  })

  test('are as many as config.json says, of which so many are chosen', () => {
    expect(plan(EXPERTS).layers[1]?.feedForward).toMatchObject({
      experts: 4,
      chosen: 2,
      router: { name: 'encoder.layers.1.mlp.router.layer', bias: false },
    })
    expect(plan({ ...EXPERTS, moe_top_k: undefined }).layers[1]?.feedForward).toMatchObject({ chosen: 1 })
  })

  test.each([
    ['moe_normalize_expert_weights', true],
    ['expert_choice_router', true],
    ['num_shared_experts', 1],
    ['ffn_div', 2],
  ])('with %s %s are refused', async (key, value) => {
    await expectRefusal(() => plan({ ...EXPERTS, [key]: value }), 'model_unsupported', key, String(value))
  })

  test('with gates, or of which more are chosen than there are, are refused', async () => {
    const gated = () => plan({ ...EXPERTS, activation_function: 'swiglu' })
    await expectRefusal(gated, 'model_invalid', 'activation_function', 'swiglu')
    await expectRefusal(
      () => plan({ ...EXPERTS, moe_top_k: 5 }),
      'model_invalid',
      'num_experts',
      'at least 5',
    )
  })
})
