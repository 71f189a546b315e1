/** What the relatives of Llama read from config.json: sizes, masks, and what they refuse. */
import { describe, expect, test } from 'vitest'
import { ConfigReader } from '../../../../src/graph/config-reader.ts'
import { eurobert } from '../../../../src/graph/families/eurobert.ts'
import type { Family } from '../../../../src/graph/families/family.ts'
import { gemma, gemma3 } from '../../../../src/graph/families/gemma.ts'
import { llama, mistral } from '../../../../src/graph/families/llama.ts'
import { modernbert } from '../../../../src/graph/families/modernbert.ts'
import { qwen2, qwen3 } from '../../../../src/graph/families/qwen.ts'
import { expectRefusal } from '../../model/expect-refusal.ts'

type Json = Readonly<Record<string, unknown>>

const SIZES = {
  vocab_size: 50,
  hidden_size: 64,
  intermediate_size: 24,
  num_hidden_layers: 6,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 128,
}

function plan(family: Family, config: Json = {}) {
  return family.plan(new ConfigReader('tiny', { ...SIZES, ...config }))
}

function windows(family: Family, config: Json) {
  return plan(family, config).layers.map(({ attention }) => attention.window)
}

describe('heads', () => {
  test('share the hidden width, unless head_dim says otherwise', () => {
    const width = (config: Json) => plan(llama, config).layers[0]?.attention.headWidth
    expect(width({})).toBe(16)
    expect(width({ head_dim: null })).toBe(16)
    expect(width({ head_dim: 24 })).toBe(24)
  })

  test.each([
    ['llama', llama, 4],
    ['gemma', gemma, 4],
    ['eurobert', eurobert, 4],
  ])('of keys are as many as heads where %s says null', (_, family, count) => {
    expect(plan(family, { num_key_value_heads: null }).layers[0]?.attention.keyHeads).toBe(count)
  })

  test.each([
    ['mistral', mistral, 8],
    ['qwen3', qwen3, 32],
    ['gemma3', gemma3, 4],
  ])('of keys are those of the default where %s says nothing', (_, family, count) => {
    const config = { num_key_value_heads: undefined, num_attention_heads: 32 }
    expect(plan(family, config).layers[0]?.attention.keyHeads).toBe(count)
  })

  test('of keys that do not divide the heads are refused', async () => {
    await expectRefusal(
      () => plan(llama, { num_key_value_heads: 3 }),
      'model_invalid',
      'num_attention_heads in config.json is 4',
      'a multiple of 3',
    )
  })
})

describe('masks', () => {
  test('decoders are causal, unless is_causal is false', () => {
    for (const family of [qwen2, qwen3, llama, mistral, gemma]) {
      expect(plan(family).layers[0]?.attention.causal).toBe(true)
      expect(plan(family, { is_causal: false }).layers[0]?.attention.causal).toBe(false)
    }
    expect(plan(gemma3, { use_bidirectional_attention: true }).layers[0]?.attention.causal).toBe(false)
    expect(plan(eurobert).layers[0]?.attention.causal).toBe(false)
  })

  test('Qwen has windows only where use_sliding_window is true, from max_window_layers on', () => {
    expect(windows(qwen2, { sliding_window: 9, max_window_layers: 4 })).toEqual(Array(6).fill(undefined))
    const config = { use_sliding_window: true, sliding_window: 9, max_window_layers: 4 }
    expect(windows(qwen2, config)).toEqual([...Array(4).fill(undefined), 8, 8])
    expect(windows(qwen3, { ...config, is_causal: false }).at(-1)).toBe(9)
  })

  test('layer_types name the layers that slide', () => {
    const kinds = ['full_attention', 'sliding_attention']
    const config = {
      use_sliding_window: true,
      sliding_window: 9,
      layer_types: [...kinds, ...kinds, ...kinds],
    }
    expect(windows(qwen3, config)).toEqual([undefined, 8, undefined, 8, undefined, 8])
  })

  test('Mistral slides in every layer, over 4096 tokens unless it says otherwise', () => {
    expect(windows(mistral, {})[0]).toBe(4095)
    expect(windows(mistral, { sliding_window: null })[0]).toBeUndefined()
  })

  test('Gemma 3 looks half its window to each side, or all of it back', () => {
    expect(windows(gemma3, { sliding_window: 512, use_bidirectional_attention: true })).toEqual([
      ...Array(5).fill(256),
      undefined,
    ])
    expect(windows(gemma3, { sliding_window: 512, sliding_window_pattern: 2 })).toEqual([
      511,
      undefined,
      511,
      undefined,
      511,
      undefined,
    ])
  })

  test('ModernBERT looks half its window to each side in two layers of three', () => {
    expect(windows(modernbert, { local_attention: 128 })).toEqual([undefined, 64, 64, undefined, 64, 64])
    const config = { local_attention: 10, global_attn_every_n_layers: 2 }
    expect(windows(modernbert, config)).toEqual([undefined, 5, undefined, 5, undefined, 5])
  })
})

test('Gemma scales its words by √H and adds one to the weight of every norm', () => {
  const body = plan(gemma3)
  if (body.order === 'post') throw new Error('its norms stand behind its steps')
  const { embeddings, layers, finalNorm } = body
  expect(embeddings.scale).toBe(8)
  const norms = layers.flatMap(({ norms, attention }) => [
    ...Object.values(norms),
    attention.queryNorm,
    attention.keyNorm,
  ])
  expect(norms).toHaveLength(6 * 6)
  for (const norm of [...norms, finalNorm]) expect(norm).toMatchObject({ kind: 'rms', plusOne: true })
})

test('a classifier reads the last token that is no padding token, where the folder names one', () => {
  const of = (config: Json) => qwen3.classifier?.(new ConfigReader('tiny', config))
  expect(of({ pad_token_id: 0 })).toMatchObject({ pooling: 'lasttoken', padId: 0 })
  expect(of({ pad_token_id: null })).toMatchObject({ pooling: 'lasttoken', padId: undefined })
})

interface Refused {
  readonly what: string
  readonly family: Family
  readonly config: Json
  readonly code: 'model_invalid' | 'model_unsupported'
  readonly says: string
}

test.each<Refused>([
  {
    what: 'layer_types of another length',
    family: qwen3,
    config: { layer_types: ['full_attention'] },
    code: 'model_invalid',
    says: 'a list of 6',
  },
  {
    what: 'an unknown kind of layer',
    family: modernbert,
    config: { layer_types: Array(6).fill('linear_attention') },
    code: 'model_invalid',
    says: 'full_attention, sliding_attention',
  },
  {
    what: 'a switch that is text',
    family: llama,
    config: { attention_bias: 'yes' },
    code: 'model_invalid',
    says: 'attention_bias in config.json is "yes"',
  },
  {
    what: 'capped scores',
    family: gemma3,
    config: { attn_logit_softcapping: 50 },
    code: 'model_unsupported',
    says: 'attn_logit_softcapping 50',
  },
  {
    what: 'a Gemma that sees both ways',
    family: gemma,
    config: { use_bidirectional_attention: true },
    code: 'model_unsupported',
    says: 'use_bidirectional_attention true',
  },
])('$what is refused', async ({ family, config, code, says }) => {
  await expectRefusal(() => plan(family, config), code, says)
})

test('unknown ways to pool for a classifier are refused', async () => {
  for (const family of [eurobert, modernbert]) {
    const config = new ConfigReader('tiny', { classifier_pooling: 'median' })
    await expectRefusal(
      () => family.classifier?.(config),
      'model_invalid',
      'classifier_pooling in config.json is "median"',
    )
  }
})
