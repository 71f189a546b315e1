import { describe, expect, test } from 'vitest'
import { ConfigReader } from '../../../../src/graph/config-reader.ts'
import { bert } from '../../../../src/graph/families/bert.ts'
import { alibiSlopes, jinaBert, jinaCode } from '../../../../src/graph/families/jina-bert.ts'
import { findFamily } from '../../../../src/graph/families/registry.ts'
import { expectRefusal } from '../../model/expect-refusal.ts'
import { ref, TINY, tinyBert } from '../tiny-bert.ts'

type Json = Readonly<Record<string, unknown>>

function plan(config: Json = {}, family = jinaBert) {
  return family.plan(new ConfigReader('tiny', { ...TINY, position_embedding_type: 'alibi', ...config }))
}

test.each([
  ['encoder.layer.0.mlp.gated_layers.weight', jinaBert],
  ['bert.encoder.layer.0.mlp.gated_layers.weight', jinaBert],
  ['encoder.layer.0.mlp.up_gated_layer.weight', jinaCode],
  ['encoder.layer.0.intermediate.dense.weight', bert],
  ['something.else', bert],
])('of all that call themselves bert, %s tells which it is', (name, family) => {
  expect(findFamily({ ...tinyBert(), tensors: { [name]: ref([16, 16]) } })).toBe(family)
})

describe('slopes', () => {
  test('of a power of two are powers of one number', () => {
    expect(alibiSlopes(8)).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map((power) => 2 ** -power))
    expect(alibiSlopes(1)).toEqual([2 ** -8])
  })

  test('of other numbers take every other one of the next larger power', () => {
    expect(alibiSlopes(12)).toEqual([...alibiSlopes(8), ...[1, 3, 5, 7].map((power) => 2 ** (-power / 2))])
    expect(alibiSlopes(3)).toEqual([2 ** -4, 2 ** -8, 2 ** -2])
  })
})

test('the gate is the first half of the rows, of the variant for code the second', () => {
  expect(plan().layers[0]?.feedForward).toMatchObject({ gate: { part: [0, 2] }, up: { part: [1, 2] } })
  expect(plan({}, jinaCode).layers[0]?.feedForward).toMatchObject({
    up: { part: [0, 2] },
    gate: { part: [1, 2] },
  })
})

test('feed_forward_type is the activation, whatever hidden_act says', () => {
  expect(plan({ hidden_act: 'relu' }).layers[0]?.feedForward.activation).toBe('gelu')
  expect(plan({ feed_forward_type: 'reglu' }).layers[0]?.feedForward.activation).toBe('relu')
})

test('only the variant for code normalizes queries, keys and the sum again', () => {
  expect(plan().layers[0]?.attention.queryNorm).toBeUndefined()
  expect(plan().layers[0]?.norms).not.toHaveProperty('attentionAgain')
  const layer = plan({}, jinaCode).layers[1]
  expect(layer?.attention.keyNorm).toMatchObject({
    name: 'encoder.layer.1.attention.self.layer_norm_k',
    over: 'all',
  })
  expect(layer?.norms).toMatchObject({ attentionAgain: { name: 'encoder.layer.1.layer_norm_1' } })
})

test.each([
  ['position_embedding_type', undefined, 'model_invalid', 'is missing'],
  ['position_embedding_type', 'absolute', 'model_invalid', 'alibi'],
  ['feed_forward_type', 'original', 'model_invalid', 'geglu, reglu'],
  ['is_decoder', true, 'model_unsupported', 'false only'],
] as const)('%s %s is refused', async (key, value, code, wanted) => {
  await expectRefusal(() => plan({ [key]: value }), code, key, wanted)
})
