import { describe, expect, test } from 'vitest'
import { ConfigReader } from '../../../../src/graph/config-reader.ts'
import { gte, gteRenamed } from '../../../../src/graph/families/gte.ts'
import { findFamily } from '../../../../src/graph/families/registry.ts'
import { expectRefusal } from '../../model/expect-refusal.ts'
import { ref, TINY, tinyBert } from '../tiny-bert.ts'

type Json = Readonly<Record<string, unknown>>

function plan(config: Json = {}) {
  return gte.plan(new ConfigReader('tiny', { ...TINY, rope_theta: 500, ...config }))
}

function frequencies(config: Json): readonly number[] | undefined {
  return plan(config).layers[0]?.attention.rotary?.frequencies
}

test.each([
  ['encoder.layer.0.attention.qkv_proj.weight', gte],
  ['new.encoder.layer.0.attention.qkv_proj.weight', gte],
  ['gte.layers.0.self_attn.q_proj.weight', gteRenamed],
])('a folder with %s is found, whatever it calls itself', (name, family) => {
  for (const modelType of ['new', 'gte'])
    expect(findFamily({ ...tinyBert(), modelType, tensors: { [name]: ref([16, 16]) } })).toBe(family)
})

test('the second half of the rows is the gate', () => {
  expect(plan().layers[1]?.feedForward).toMatchObject({
    up: { name: 'encoder.layer.1.mlp.up_gate_proj', part: [0, 2], bias: false },
    gate: { name: 'encoder.layer.1.mlp.up_gate_proj', part: [1, 2], bias: false },
  })
})

test('token types are one row unless the folder has none or more', () => {
  expect(plan().embeddings.types?.rows).toBe(1)
  expect(plan({ type_vocab_size: 2 }).embeddings.types?.rows).toBe(2)
  expect(plan({ type_vocab_size: 0 }).embeddings.types).toBeUndefined()
})

describe('positions of the NTK kind', () => {
  const ntk = (factor: number, more: Json = {}) => ({ rope_scaling: { type: 'ntk', factor, ...more } })

  test('have a larger base and slower waves besides', () => {
    const [first, second] = frequencies(ntk(2)) ?? []
    expect(first).toBeCloseTo(2 ** -(2 / 8), 12)
    expect(second).toBeCloseTo(1000 ** -(2 / 8) * 2 ** -(2 / 8), 12)
  })

  test('with a factor of 1 are the plain ones', () => {
    expect(frequencies(ntk(1))).toEqual(frequencies({}))
  })

  test('of the mixed form are refused', async () => {
    await expectRefusal(() => plan(ntk(2, { mixed_b: 0.6 })), 'model_unsupported', 'rope_scaling.mixed_b 0.6')
  })
})

test('a folder that names no base is refused', async () => {
  await expectRefusal(() => plan({ rope_theta: undefined }), 'model_invalid', 'rope_theta', 'is missing')
})

test.each([
  ['position_embedding_type', 'absolute'],
  ['layer_norm_type', 'rms_norm'],
  ['pack_qkv', false],
  ['logn_attention_scale', true],
  ['logn_attention_clip1', true],
])('%s %s is refused', async (key, value) => {
  await expectRefusal(() => plan({ [key]: value }), 'model_unsupported', key, String(value))
})
