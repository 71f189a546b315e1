import { expect, test } from 'vitest'
import { ConfigReader } from '../../../../src/graph/config-reader.ts'
import { albert } from '../../../../src/graph/families/albert.ts'
import { expectRefusal } from '../../model/expect-refusal.ts'
import { TINY } from '../tiny-bert.ts'

function plan(config: Readonly<Record<string, unknown>>) {
  return albert.plan(new ConfigReader('tiny', { ...TINY, ...config }))
}

/** Group and layer within it, of each layer in turn. */
function turns(config: Readonly<Record<string, unknown>>): string[] {
  return plan(config).layers.map(({ attention }) => {
    const [, group, layer] = /groups\.(\d+)\.albert_layers\.(\d+)\./.exec(attention.query.name) ?? []
    return `${group}.${layer}`
  })
}

test('without groups every layer is the same one', () => {
  expect(turns({ num_hidden_layers: 3 })).toEqual(['0.0', '0.0', '0.0'])
})

test('groups take turns as evenly as they can, each with all its layers', () => {
  expect(turns({ num_hidden_layers: 5, num_hidden_groups: 2 })).toEqual(['0.0', '0.0', '0.0', '1.0', '1.0'])
  const inner = { num_hidden_layers: 3, num_hidden_groups: 2, inner_group_num: 2 }
  expect(turns(inner)).toEqual(['0.0', '0.1', '0.0', '0.1', '1.0', '1.1'])
})

test('embeddings are always projected, and have 128 numbers where nothing else is said', () => {
  const { width, projection } = plan({}).embeddings
  expect(width).toBe(128)
  expect(projection).toMatchObject({ name: 'encoder.embedding_hidden_mapping_in' })
})

test('the activation is gelu_new where none is named', () => {
  expect(plan({}).layers[0]?.feedForward.activation).toBe('gelu_tanh')
})

test('relative positions are refused as unsupported', async () => {
  await expectRefusal(
    () => plan({ position_embedding_type: 'relative_key' }),
    'model_unsupported',
    '"relative_key"',
  )
})

test('turns times layers of a group are a thousand at most', async () => {
  const long = () => plan({ num_hidden_layers: 20, inner_group_num: 51 })
  await expectRefusal(long, 'model_invalid', 'inner_group_num', 'is 51', 'at most 50')
})
