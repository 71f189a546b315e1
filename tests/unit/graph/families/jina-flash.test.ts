import { describe, expect, test } from 'vitest'
import { ConfigReader } from '../../../../src/graph/config-reader.ts'
import { jinaFlash, jinaFlashRenamed } from '../../../../src/graph/families/jina-flash.ts'
import { findFamily } from '../../../../src/graph/families/registry.ts'
import { roberta } from '../../../../src/graph/families/roberta.ts'
import { TensorTable } from '../../../../src/graph/tensor-table.ts'
import { expectRefusal } from '../../model/expect-refusal.ts'
import { ref, TINY, tinyBert } from '../tiny-bert.ts'

type Json = Readonly<Record<string, unknown>>

function plan(config: Json) {
  return jinaFlash.plan(new ConfigReader('tiny', { ...TINY, ...config }))
}

test.each([
  ['xlm-roberta', 'roberta.emb_ln.weight', jinaFlash],
  ['xlm-roberta', 'embeddings.word_embeddings.weight', roberta],
  ['jina_embeddings_v3', 'emb_ln.weight', jinaFlash],
  ['jina_embeddings_v3', 'roberta.layers.0.self_attn.q_proj.weight', jinaFlashRenamed],
])('%s with the tensor %s is told from the others', (modelType, name, family) => {
  expect(findFamily({ ...tinyBert(), modelType, tensors: { [name]: ref([16]) } })).toBe(family)
})

describe('positions', () => {
  test('that turn need no table, and no row of it for the padding token', () => {
    const { embeddings, layers, maxTokens } = plan({ position_embedding_type: 'rotary', rotary_emb_base: 16 })
    expect(embeddings.positions).toBeUndefined()
    expect(maxTokens).toBe(TINY.max_position_embeddings)
    expect(layers[0]?.attention.rotary?.frequencies).toEqual([1, 1 / 2, 1 / 4, 1 / 8])
  })

  test('turn by the base that each form takes where none is given', () => {
    const second = (config: Json) => plan(config).layers[0]?.attention.rotary?.frequencies[1]
    expect(second({ position_embedding_type: 'rotary' })).toBeCloseTo(10_000 ** -0.25, 12)
    expect(second({ rope_parameters: { rope_type: 'default' } })).toBeCloseTo(20_000 ** -0.25, 12)
  })

  test('turn by transformers’ base in its own form, whatever Jina’s key says', () => {
    const config = { ...TINY, position_embedding_type: 'rotary', rotary_emb_base: 16 }
    for (const settings of [config, TINY]) {
      const { embeddings, layers } = jinaFlashRenamed.plan(new ConfigReader('tiny', settings))
      expect(embeddings.positions).toBeUndefined()
      expect(layers[0]?.attention.rotary?.frequencies[1]).toBeCloseTo(20_000 ** -0.25, 12)
    }
  })

  test('of a table start behind the padding token', () => {
    const { embeddings, layers, maxTokens } = plan({ pad_token_id: 1 })
    expect(embeddings.positions).toMatchObject({ skip: 1, padId: 1 })
    expect(maxTokens).toBe(TINY.max_position_embeddings - 2)
    expect(layers[0]?.attention.rotary).toBeUndefined()
  })

  test('of another kind are refused', async () => {
    const alibi = () => plan({ position_embedding_type: 'alibi' })
    await expectRefusal(alibi, 'model_invalid', 'position_embedding_type', 'rotary, absolute')
  })
})

describe('weights with adapters', () => {
  const original = ref([16, 16])
  const tensors = {
    'emb_ln.weight': ref([16]),
    'encoder.layers.0.mlp.fc1.parametrizations.weight.original': original,
    'encoder.layers.0.mlp.fc1.parametrizations.weight.0.lora_A': ref([5, 4, 16]),
    'encoder.layers.0.mlp.fc1.parametrizations.weight.0.lora_B': ref([5, 16, 4]),
  }
  const fc1 = { name: 'encoder.layers.0.mlp.fc1', bias: false }

  const adapters = { count: 5, rank: 4, scale: 1 }

  test('are read with them, and none is left over', () => {
    const table = new TensorTable({ ...tinyBert(), tensors }, jinaFlash, adapters)
    const { weight, adapter } = table.linear(fc1, 16, 16)
    expect(weight.values).toBe(original)
    expect(adapter?.columns).toEqual([0, 1, 2, 3, 4].map((task) => ({ task, count: 4, scale: 1 })))
    expect(adapter?.downs).toMatchObject([{ shape: [20, 16] }])
    expect(adapter?.ups.map(({ shape }) => shape.join())).toEqual(Array<string>(5).fill('16,4'))
    expect(table.unused(jinaFlash.body, [...jinaFlash.ignored, /^emb_ln/])).toEqual(['emb_ln.weight'])
  })

  test('of a part of a layer have the columns of all of it and the rows of the part', () => {
    const table = new TensorTable({ ...tinyBert(), tensors }, jinaFlash, adapters)
    const whole = table.linear(fc1, 16, 16).adapter
    const { adapter } = table.linear({ ...fc1, part: [1, 2] }, 8, 16)
    expect(adapter?.downs).toEqual(whole?.downs)
    expect(adapter?.ups[3]).toMatchObject({ shape: [8, 4], byteLength: 128 })
    expect(adapter?.ups[3]?.byteOffset).toBe((whole?.ups[3]?.byteOffset ?? NaN) + 128)
  })

  test('must be of the number and the rank that config.json says', async () => {
    const table = new TensorTable({ ...tinyBert(), tensors }, jinaFlash, { ...adapters, rank: 3 })
    const read = () => table.linear(fc1, 16, 16)
    await expectRefusal(
      read,
      'model_invalid',
      'fc1.parametrizations.weight.0.lora_A',
      '[5, 4, 16]',
      '[5, 3, 16]',
    )
  })

  test('are told by config.json, with what Jina’s code assumes where it is silent', () => {
    const planned = (config: Json) => plan({ position_embedding_type: 'rotary', ...config }).adapters
    const lora_adaptations = ['a', 'b', 'c']
    expect(planned({})).toBeUndefined()
    expect(planned({ lora_adaptations })).toEqual({ count: 3, rank: 4, scale: 1 / 4 })
    expect(planned({ lora_adaptations, lora_rank: 2, lora_alpha: 3 })).toEqual({
      count: 3,
      rank: 2,
      scale: 3 / 2,
    })
  })

  test('of positions are left alone, as in Jina’s code', () => {
    const name = 'embeddings.position_embeddings.parametrizations.weight.0.lora_A'
    expect(jinaFlash.ignored.some((pattern) => pattern.test(name))).toBe(true)
    expect(jinaFlash.ignored.some((pattern) => pattern.test(name.replace('position', 'word')))).toBe(false)
  })

  test('are not read by families that have none', async () => {
    const table = new TensorTable({ ...tinyBert(), tensors }, { prefixes: [''], probe: 'emb_ln.weight' })
    await expectRefusal(() => table.linear(fc1, 16, 16), 'model_invalid', 'fc1.weight is missing')
  })
})
