import { expect, test } from 'vitest'
import { buildGraph } from '../../../../src/graph/build.ts'
import { ConfigReader } from '../../../../src/graph/config-reader.ts'
import { findFamily } from '../../../../src/graph/families/registry.ts'
import { roberta } from '../../../../src/graph/families/roberta.ts'
import { expectRefusal } from '../../model/expect-refusal.ts'
import { TINY, ref, tinyBert } from '../tiny-bert.ts'

function plan(config: Readonly<Record<string, unknown>>) {
  return roberta.plan(new ConfigReader('tiny', { ...TINY, ...config }))
}

function build(config: Readonly<Record<string, unknown>> = {}, prefix = '') {
  const spec = tinyBert({ config: { model_type: 'roberta', ...config } })
  const tensors = Object.entries(spec.tensors).map(([name, tensor]) => [prefix + name, tensor] as const)
  return buildGraph({ ...spec, tensors: Object.fromEntries(tensors) }, 'cpu-f32')
}

test.each(['roberta', 'xlm-roberta', 'camembert'])('%s is of this family', (modelType) => {
  expect(findFamily({ ...tinyBert(), modelType })).toBe(roberta)
})

test.each([
  [514, 1, 512],
  [8194, 1, 8192],
  [514, undefined, 512],
  [514, null, 512],
  [512, 0, 511],
  [130, 5, 124],
])('%s positions with padding token %s take texts of %s tokens', (positions, pad, tokens) => {
  expect(plan({ max_position_embeddings: positions, pad_token_id: pad }).maxTokens).toBe(tokens)
})

test.each([
  [2, 1],
  [20, 19],
  [20, 50],
])('%s positions of which the padding token %s leaves none are refused', async (positions, pad) => {
  const config = { max_position_embeddings: positions, pad_token_id: pad }
  await expectRefusal(
    () => plan(config),
    'model_invalid',
    'max_position_embeddings',
    `${positions}`,
    `${pad + 2}`,
  )
})

test.each([
  ['rotary', { position_embedding_type: 'rotary' }, 'position_embedding_type "rotary"'],
  ['a decoder', { is_decoder: true }, 'is_decoder true'],
])('%s is refused as unsupported', async (_, config, value) => {
  await expectRefusal(() => plan(config), 'model_unsupported', value)
})

test.each([['-1'], [-1], [1.5]])('a padding token %s is refused', async (pad) => {
  await expectRefusal(() => plan({ pad_token_id: pad }), 'model_invalid', 'pad_token_id in config.json')
})

test.each(['', 'roberta.', 'xlm-roberta.', 'camembert.'])('the prefix "%s" is found', (prefix) => {
  expect(build({}, prefix).unusedTensors).toEqual([])
})

test('positions are counted without padding tokens, whose id the graph tells', () => {
  const { inputs, padId } = build({ pad_token_id: 3 })
  expect(padId).toBe(3)
  expect(inputs).toContain('counted_positions')
  expect(inputs).not.toContain('positions')
})

test('a table of one token type is read without asking for types', () => {
  const one = { 'embeddings.token_type_embeddings.weight': ref([1, 16]) }
  const config = { model_type: 'roberta', type_vocab_size: 1 }
  expect(buildGraph(tinyBert({ config, tensors: one }), 'cpu-f32').inputs).not.toContain('types')
  expect(build().inputs).toContain('types')
})
