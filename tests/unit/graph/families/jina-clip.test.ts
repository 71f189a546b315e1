import { describe, expect, test } from 'vitest'
import { ConfigReader } from '../../../../src/graph/config-reader.ts'
import { jinaClipBert, jinaClipText } from '../../../../src/graph/families/jina-clip.ts'
import { expectRefusal } from '../../model/expect-refusal.ts'

type Settings = Readonly<Record<string, unknown>>

const reader = (settings: Settings) => new ConfigReader('tiny', settings)

/** What of `text_config` its folder has. */
const V2 = {
  default_instruction_task: null,
  default_lora_task: 'retrieval.query',
  hf_model_config_kwargs: { lora_adaptations: ['retrieval.query'], lora_alpha: 4, lora_rank: 4 },
  hf_model_name_or_path: 'jinaai/jina-embeddings-v3',
  pooler_type: 'mean_pooler',
  proj_type: null,
}
const V1 = {
  hf_model_config_kwargs: { use_flash_attn: false },
  hf_model_name_or_path: 'jinaai/jina-bert-flash-implementation',
  pooler_type: 'mean_pooler',
  proj_type: null,
}

describe('jina-clip-v2', () => {
  test('has the body of jina-embeddings-v3, whose settings its folder lacks', () => {
    const plan = jinaClipText.plan(reader(V2))
    expect(plan).toMatchObject({ hiddenSize: 1024, vocabularySize: 250_002, maxTokens: 8194, order: 'post' })
    expect(plan.layers).toHaveLength(24)
    expect(plan.layers[0]?.attention).toMatchObject({ heads: 16, headWidth: 64 })
    expect(plan.layers[0]?.feedForward).toMatchObject({ kind: 'plain', width: 4096, activation: 'gelu' })
    // The second of 32 frequencies of base 20 000.
    expect(plan.layers[0]?.attention.rotary?.frequencies[1]).toBeCloseTo(20_000 ** (-1 / 32), 12)
    expect(plan.adapters).toEqual({ count: 1, rank: 4, scale: 1, always: 0 })
  })

  test('goes by what its folder says in place of them', () => {
    const settings = { ...V2.hf_model_config_kwargs, num_hidden_layers: 3, rotary_emb_base: 100 }
    const plan = jinaClipText.plan(reader({ ...V2, hf_model_config_kwargs: settings }))
    expect(plan.layers).toHaveLength(3)
    expect(plan.layers[0]?.attention.rotary?.frequencies[1]).toBeCloseTo(100 ** (-1 / 32), 12)
  })

  test.each([
    [{ hf_model_name_or_path: 'jinaai/another' }, 'model_invalid', 'jinaai/jina-embeddings-v3'],
    [{ default_lora_task: 'separation' }, 'model_invalid', 'retrieval.query'],
    [{ default_lora_task: null }, 'model_invalid', 'default_lora_task'],
    [{ default_instruction_task: 'retrieval.query' }, 'model_unsupported', 'default_instruction_task'],
    [{ pooler_type: 'cls_pooler' }, 'model_invalid', 'mean_pooler'],
    [{ proj_type: 'linear' }, 'model_unsupported', 'proj_type'],
  ] as const)('is refused with %o', async (change, code, part) => {
    await expectRefusal(() => jinaClipText.plan(reader({ ...V2, ...change })), code, part)
  })
})

describe('jina-clip-v1', () => {
  test('has the body of JinaBERT v2', () => {
    const plan = jinaClipBert.plan(reader(V1))
    expect(plan).toMatchObject({ hiddenSize: 768, vocabularySize: 30_528, maxTokens: 8192, order: 'post' })
    expect(plan.embeddings).toMatchObject({ types: { rows: 2 }, norm: { name: 'emb_ln', epsilon: 1e-12 } })
    expect(plan.layers).toHaveLength(12)
    const { attention, feedForward } = plan.layers[0] ?? {}
    expect(attention).toMatchObject({ heads: 12, headWidth: 64, bias: { kind: 'alibi' } })
    expect(feedForward).toMatchObject({ kind: 'gated', width: 3072, activation: 'gelu' })
  })

  test('is refused in a form of which no model is known', async () => {
    for (const [key, value] of Object.entries({ mlp_type: 'mlp', use_qk_norm: true }))
      await expectRefusal(
        () => jinaClipBert.plan(reader({ ...V1, hf_model_config_kwargs: { [key]: value } })),
        'model_unsupported',
        key,
      )
    const name = { hf_model_name_or_path: 'jinaai/jina-embeddings-v3' }
    await expectRefusal(
      () => jinaClipBert.plan(reader({ ...V1, ...name })),
      'model_invalid',
      'jina-bert-flash',
    )
  })
})
