import { describe, expect, test } from 'vitest'
import type { NormPlan } from '../../../src/graph/layers/encoder-plan.ts'
import { TensorTable } from '../../../src/graph/tensor-table.ts'
import type { TensorRef } from '../../../src/model/spec.ts'
import { expectRefusal } from '../model/expect-refusal.ts'
import { ref, tinyBert } from './tiny-bert.ts'

const PREFIXES = ['', 'bert.']
const PROBE = 'words.weight'
const BODY = /^(embeddings|encoder)\./

function layerNorm(epsilon: number): NormPlan {
  return { name: 'norm', kind: 'layer', epsilon, bias: true }
}

/** A table of these tensors and, without prefix, the probe. */
function tableOf(tensors: Readonly<Record<string, TensorRef>>, probe: string = PROBE): TensorTable {
  return new TensorTable(
    { ...tinyBert(), tensors: { [probe]: ref([50, 4]), ...tensors } },
    { prefixes: PREFIXES, probe: PROBE },
  )
}

test('the prefix is the one under which the probe stands', () => {
  const weight = ref([6, 4])
  const bias = ref([6])
  for (const prefix of PREFIXES) {
    const table = tableOf({ [`${prefix}up.weight`]: weight, [`${prefix}up.bias`]: bias }, prefix + PROBE)
    expect(table.linear({ name: 'up', bias: true }, 6, 4)).toEqual({
      weight: { values: weight, scale: undefined },
      bias,
    })
  }
})

test('the first prefix wins where the probe stands under both', () => {
  const [plain, prefixed] = [ref([4, 4]), ref([4, 4])]
  const table = tableOf({ 'bert.words.weight': ref([50, 4]), 'up.weight': plain, 'bert.up.weight': prefixed })
  expect(table.linear({ name: 'up', bias: false }, 4, 4).weight.values).toBe(plain)
})

test('weights without the probe are refused by the names it could have', async () => {
  await expectRefusal(
    () => tableOf({}, 'model.words.weight'),
    'model_invalid',
    'tiny: the weights hold no tensor words.weight or bert.words.weight',
  )
})

test('a root tensor stands without the prefix', () => {
  const weight = ref([2, 4])
  const table = tableOf({ 'classifier.weight': weight }, 'bert.words.weight')
  expect(table.linear({ name: 'classifier', bias: false, root: true }, 2, 4)).toEqual({
    weight: { values: weight, scale: undefined },
    bias: undefined,
  })
})

test.each([
  ['weight', { 'up.bias': ref([6]) }, 'up.weight'],
  ['bias', { 'up.weight': ref([6, 4]) }, 'up.bias'],
])('a linear layer without its %s is refused by the full name', async (_, tensors, name) => {
  await expectRefusal(
    () => tableOf(tensors).linear({ name: 'up', bias: true }, 6, 4),
    'model_invalid',
    `tiny: tensor ${name} is missing`,
  )
  const prefixed = Object.fromEntries(Object.entries(tensors).map(([key, value]) => [`bert.${key}`, value]))
  const table = tableOf(prefixed, 'bert.words.weight')
  await expectRefusal(
    () => table.linear({ name: 'up', bias: true }, 6, 4),
    'model_invalid',
    `tensor bert.${name} is missing`,
  )
})

test('a name that every object answers to is no tensor', async () => {
  await expectRefusal(
    () => tableOf({}).linear({ name: 'constructor', bias: true, root: true }, 1, 1),
    'model_invalid',
    'tensor constructor.weight is missing',
  )
})

test.each([
  ['turned', [4, 6]],
  ['of another size', [6, 5]],
  ['of another rank', [24]],
])('a weight that is %s is refused with both shapes', async (_, shape) => {
  const table = tableOf({ 'up.weight': ref(shape), 'up.bias': ref([6]) })
  await expectRefusal(
    () => table.linear({ name: 'up', bias: true }, 6, 4),
    'model_invalid',
    `tiny: tensor up.weight has shape [${shape.join(', ')}]; config.json asks for [6, 4]`,
  )
})

test('a table of another height is refused with both shapes', async () => {
  await expectRefusal(
    () => tableOf({}).table('words', 51, 4),
    'model_invalid',
    'tensor words.weight has shape [50, 4]; config.json asks for [51, 4]',
  )
})

test('a norm is found under its present names, and under gamma and beta', () => {
  const [weight, bias] = [ref([4]), ref([4])]
  const expected = { kind: 'layer', weight, bias, plusOne: false }
  const present = tableOf({ 'norm.weight': weight, 'norm.bias': bias })
  expect(present.norm(layerNorm(1e-12), 4)).toEqual({ ...expected, epsilon: 1e-12 })
  const old = tableOf({ 'norm.gamma': weight, 'norm.beta': bias })
  expect(old.norm(layerNorm(1e-5), 4)).toEqual({ ...expected, epsilon: 1e-5 })
})

test('a norm that is missing is refused by its present name', async () => {
  const table = tableOf({ 'norm.gamma': ref([4]) })
  await expectRefusal(() => table.norm(layerNorm(1), 4), 'model_invalid', 'tensor norm.bias is missing')
})

test('a norm of another width is refused by the name it has', async () => {
  const table = tableOf({ 'norm.gamma': ref([5]), 'norm.beta': ref([5]) })
  await expectRefusal(
    () => table.norm(layerNorm(1), 4),
    'model_invalid',
    'tensor norm.gamma has shape [5]; config.json asks for [4]',
  )
})

test('int8 codes come with their scale', () => {
  const [values, scale] = [ref([6, 4], 'I8'), ref([6, 1])]
  const table = tableOf({ 'up.weight': values, 'up.weight_scale': scale })
  expect(table.linear({ name: 'up', bias: false }, 6, 4).weight).toEqual({ values, scale })
  expect(table.table('up', 6, 4)).toEqual({ values, scale })
})

test.each([
  ['without a scale', {}, 'tensor up.weight_scale is missing'],
  [
    'with blocks that config.json does not name',
    { 'up.weight_scale': ref([6, 2]) },
    'tensor up.weight_scale [6, 2] F32 is no scale of [6, 4]',
  ],
  ['with more scales than rows', { 'up.weight_scale': ref([7, 1]) }, '[7, 1] F32 is no scale of [6, 4]'],
  ['with codes for scales', { 'up.weight_scale': ref([6, 1], 'I8') }, '[6, 1] I8 is no scale of [6, 4]'],
])('codes %s are refused', async (_, scale, message) => {
  for (const dtype of ['I8', 'F8_E4M3'] as const) {
    const table = tableOf({ 'up.weight': ref([6, 4], dtype), ...scale })
    await expectRefusal(() => table.linear({ name: 'up', bias: false }, 6, 4), 'model_invalid', message)
  }
})

test('one scale for a whole matrix is one block, whatever its dimensions', () => {
  for (const shape of [[], [1], [1, 1]]) {
    const [values, scale] = [ref([6, 4], 'F8_E4M3'), ref(shape)]
    const table = tableOf({ 'up.weight': values, 'up.weight_scale': scale })
    expect(table.linear({ name: 'up', bias: false }, 6, 4).weight).toEqual({
      values,
      scale: { ...scale, shape: [1, 1] },
      blocks: { rows: 6, columns: 4, rowsAbove: 0 },
    })
  }
})

test('a scale for each row may be a vector', () => {
  const [values, scale] = [ref([6, 4], 'I8'), ref([6])]
  const table = tableOf({ 'up.weight': values, 'up.weight_scale': scale })
  expect(table.table('up', 6, 4)).toEqual({ values, scale: { ...scale, shape: [6, 1] } })
})

test.each([
  ['of FineGrainedFP8', { weight_block_size: [4, 3] }, [2, 2], [4, 3]],
  ['of a group', { config_groups: { a: { weights: { block_structure: [5, 2] } } } }, [2, 2], [5, 2]],
  ['of a row', { config_groups: { a: {}, b: { weights: { group_size: 2 } } } }, [6, 2], [1, 2]],
])('the size of blocks is the one of config.json that fits: %s', (_, config, shape, [rows, columns]) => {
  const [values, scale] = [ref([6, 4], 'F8_E4M3'), ref(shape)]
  const spec = { ...tinyBert(), config: { quantization_config: config } }
  const tensors = { [PROBE]: ref([50, 4]), 'up.weight': values, 'up.weight_scale_inv': scale }
  const table = new TensorTable({ ...spec, tensors }, { prefixes: PREFIXES, probe: PROBE })
  const { weight } = table.linear({ name: 'up', bias: false }, 6, 4)
  expect(weight).toEqual({ values, scale, blocks: { rows, columns, rowsAbove: 0 } })
  expect(table.unused(BODY, [])).toEqual([PROBE])
})

describe('blocks of several sizes that fit', () => {
  const open = (first: number, second: number) => {
    const group = (size: number) => ({ weights: { group_size: size } })
    const config = { quantization_config: { config_groups: { a: group(first), b: group(second) } } }
    const tensors = { [PROBE]: ref([50, 4]), 'up.weight': ref([6, 32], 'I8'), 'up.weight_scale': ref([6, 3]) }
    return new TensorTable({ ...tinyBert(), config, tensors }, { prefixes: PREFIXES, probe: PROBE })
  }

  test('are refused, for which of them holds is not known', () => {
    expect(() => open(11, 12).linear({ name: 'up', bias: false }, 6, 32)).toThrow(
      'scales [6, 3] of a weight [6, 32] fit blocks of 1 × 11 and of 1 × 12',
    )
  })

  test.each([
    ['named twice', 12, 12],
    ['beside one that does not fit', 12, 8],
  ])('are none where a size is %s', (_, first, second) => {
    expect(open(first, second).linear({ name: 'up', bias: false }, 6, 32).weight).toMatchObject({
      blocks: { rows: 1, columns: 12 },
    })
  })
})

test('scales of activations are no part of the body', () => {
  const names = [
    'q.input_scale',
    'q.output_scale',
    'q.activation_scale',
    'self_attn.k_scale',
    'q.input_zero_point',
  ]
  const scales = Object.fromEntries(names.map((name) => [`encoder.${name}`, ref([1])]))
  expect(tableOf(scales).unused(BODY, [])).toHaveLength(6)
})

test('int8 is for matrices only: a bias or a norm of it is refused', async () => {
  const table = tableOf({
    'up.weight': ref([6, 4]),
    'up.bias': ref([6], 'I8'),
    'norm.weight': ref([4], 'I8'),
    'norm.bias': ref([4]),
  })
  await expectRefusal(
    () => table.linear({ name: 'up', bias: true }, 6, 4),
    'model_invalid',
    'tiny: tensor up.bias is I8',
  )
  await expectRefusal(() => table.norm(layerNorm(1), 4), 'model_invalid', 'tiny: tensor norm.weight is I8')
})

test('tensors that were not asked for are unused', () => {
  const table = tableOf({ 'pooler.weight': ref([4, 4]), 'encoder.up.weight': ref([6, 4]) })
  table.table('words', 50, 4)
  table.linear({ name: 'encoder.up', bias: false }, 6, 4)
  expect(table.unused(BODY, [])).toEqual(['pooler.weight'])
})

test('a scale beside floats is not used, and refused as part of the body', async () => {
  const table = tableOf({ 'encoder.up.weight': ref([6, 4]), 'encoder.up.weight_scale': ref([6, 1]) })
  table.linear({ name: 'encoder.up', bias: false }, 6, 4)
  await expectRefusal(() => table.unused(BODY, []), 'model_invalid', 'lacks: encoder.up.weight_scale')
})

test('a tensor of the body that the architecture lacks is refused, with or without prefix', async () => {
  for (const [prefix, name] of [
    ['', 'encoder.extra.weight'],
    ['bert.', 'bert.encoder.extra.weight'],
    ['bert.', 'encoder.extra.weight'],
  ] as const) {
    const table = tableOf({ [name]: ref([4]) }, prefix + PROBE)
    await expectRefusal(
      () => table.unused(BODY, []),
      'model_invalid',
      `tiny: the weights hold`,
      `lacks: ${name}`,
    )
  }
})

test('at most five unknown tensors are named, and the rest counted', async () => {
  const extras = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`encoder.extra${i}`, ref([4])]))
  const five = 'encoder.extra0, encoder.extra1, encoder.extra2, encoder.extra3, encoder.extra4'
  const message = (count: number) => {
    const table = tableOf(extras(count))
    try {
      table.unused(BODY, [])
    } catch (error) {
      return (error as Error).message
    }
    return undefined
  }
  expect(message(5)?.endsWith(`lacks: ${five}`)).toBe(true)
  expect(message(7)?.endsWith(`lacks: ${five} and 2 more`)).toBe(true)
})

test('a tensor of the body that is to be ignored is unused, not refused', () => {
  const name = 'bert.embeddings.position_ids'
  const table = tableOf({ [name]: ref([1, 20]) }, 'bert.words.weight')
  expect(table.unused(BODY, [/^embeddings\.position_ids$/])).toEqual(['bert.words.weight', name])
})

test('a part of a fused tensor is its own rows of weight, scale and bias', () => {
  const [values, scale, bias] = [ref([18, 4], 'I8'), ref([18, 1]), ref([18])]
  const table = tableOf({ 'qkv.weight': values, 'qkv.weight_scale': scale, 'qkv.bias': bias })
  expect(table.linear({ name: 'qkv', bias: true, part: [2, 3] }, 6, 4)).toEqual({
    weight: {
      values: { ...values, shape: [6, 4], byteOffset: values.byteOffset + 48, byteLength: 24 },
      scale: { ...scale, shape: [6, 1], byteOffset: scale.byteOffset + 48, byteLength: 24 },
    },
    bias: { ...bias, shape: [6], byteOffset: bias.byteOffset + 48, byteLength: 24 },
  })
})

test('a part of a tensor that does not hold all of them is refused', async () => {
  const table = tableOf({ 'qkv.weight': ref([12, 4]) })
  await expectRefusal(
    () => table.linear({ name: 'qkv', bias: false, part: [0, 3] }, 6, 4),
    'model_invalid',
    'tensor qkv.weight has shape [12, 4]; config.json asks for [18, 4]',
  )
})

test('a table can leave out its first rows', () => {
  const values = ref([12, 4], 'F16')
  const table = tableOf({ 'places.weight': values })
  expect(table.table('places', 12, 4, { skip: 2 }).values).toEqual({
    ...values,
    shape: [10, 4],
    byteOffset: values.byteOffset + 16,
    byteLength: 80,
  })
})

test('a norm without bias asks for none, and keeps its kind and how it is stored', () => {
  const weight = ref([4])
  const plan: NormPlan = { name: 'norm', kind: 'rms', epsilon: 1e-6, bias: false, plusOne: true }
  expect(tableOf({ 'norm.weight': weight }).norm(plan, 4)).toEqual({
    kind: 'rms',
    weight,
    bias: undefined,
    epsilon: 1e-6,
    plusOne: true,
  })
})

test('a tensor of the body is found, in its shape, with the prefix', async () => {
  const tokens = ref([1, 1, 4])
  const table = tableOf({ 'bert.tokens': tokens, other: ref([2]) }, 'bert.words.weight')
  expect(table.has('tokens')).toBe(true)
  expect(table.has('other')).toBe(false)
  expect(table.tensor('tokens', [1, 1, 4])).toBe(tokens)
  expect(table.unused(BODY, [])).toEqual(['bert.words.weight', 'other'])
  await expectRefusal(() => table.tensor('tokens', [4]), 'model_invalid', 'bert.tokens has shape [1, 1, 4]')
})
