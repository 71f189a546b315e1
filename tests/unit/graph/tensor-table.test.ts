import { expect, test } from 'vitest'
import { TensorTable } from '../../../src/graph/tensor-table.ts'
import type { TensorRef } from '../../../src/model/spec.ts'
import { expectRefusal } from '../model/expect-refusal.ts'
import { ref, tinyBert } from './tiny-bert.ts'

const PREFIXES = ['', 'bert.']
const PROBE = 'words.weight'
const BODY = /^(embeddings|encoder)\./

/** A table of these tensors and, without prefix, the probe. */
function tableOf(tensors: Readonly<Record<string, TensorRef>>, probe: string = PROBE): TensorTable {
  return new TensorTable({ ...tinyBert(), tensors: { [probe]: ref([50, 4]), ...tensors } }, PREFIXES, PROBE)
}

test('the prefix is the one under which the probe stands', () => {
  const weight = ref([6, 4])
  const bias = ref([6])
  for (const prefix of PREFIXES) {
    const table = tableOf({ [`${prefix}up.weight`]: weight, [`${prefix}up.bias`]: bias }, prefix + PROBE)
    expect(table.linear('up', 6, 4)).toEqual({ weight: { values: weight, scale: undefined }, bias })
  }
})

test('the first prefix wins where the probe stands under both', () => {
  const [plain, prefixed] = [ref([4, 4]), ref([4, 4])]
  const table = tableOf({ 'bert.words.weight': ref([50, 4]), 'up.weight': plain, 'bert.up.weight': prefixed })
  expect(table.linear('up', 4, 4, { bias: false }).weight.values).toBe(plain)
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
  expect(table.linear('classifier', 2, 4, { bias: false, root: true })).toEqual({
    weight: { values: weight, scale: undefined },
    bias: undefined,
  })
})

test.each([
  ['weight', { 'up.bias': ref([6]) }, 'up.weight'],
  ['bias', { 'up.weight': ref([6, 4]) }, 'up.bias'],
])('a linear layer without its %s is refused by the full name', async (_, tensors, name) => {
  await expectRefusal(
    () => tableOf(tensors).linear('up', 6, 4),
    'model_invalid',
    `tiny: tensor ${name} is missing`,
  )
  const prefixed = Object.fromEntries(Object.entries(tensors).map(([key, value]) => [`bert.${key}`, value]))
  const table = tableOf(prefixed, 'bert.words.weight')
  await expectRefusal(() => table.linear('up', 6, 4), 'model_invalid', `tensor bert.${name} is missing`)
})

test('a name that every object answers to is no tensor', async () => {
  await expectRefusal(
    () => tableOf({}).linear('constructor', 1, 1, { root: true }),
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
    () => table.linear('up', 6, 4),
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
  const present = tableOf({ 'norm.weight': weight, 'norm.bias': bias })
  expect(present.norm('norm', 4, 1e-12)).toEqual({ weight, bias, epsilon: 1e-12 })
  const old = tableOf({ 'norm.gamma': weight, 'norm.beta': bias })
  expect(old.norm('norm', 4, 1e-5)).toEqual({ weight, bias, epsilon: 1e-5 })
})

test('a norm that is missing is refused by its present name', async () => {
  const table = tableOf({ 'norm.gamma': ref([4]) })
  await expectRefusal(() => table.norm('norm', 4, 1), 'model_invalid', 'tensor norm.bias is missing')
})

test('a norm of another width is refused by the name it has', async () => {
  const table = tableOf({ 'norm.gamma': ref([5]), 'norm.beta': ref([5]) })
  await expectRefusal(
    () => table.norm('norm', 4, 1),
    'model_invalid',
    'tensor norm.gamma has shape [5]; config.json asks for [4]',
  )
})

test('int8 codes come with their scale', () => {
  const [values, scale] = [ref([6, 4], 'I8'), ref([6, 1])]
  const table = tableOf({ 'up.weight': values, 'up.weight_scale': scale })
  expect(table.linear('up', 6, 4, { bias: false }).weight).toEqual({ values, scale })
  expect(table.table('up', 6, 4)).toEqual({ values, scale })
})

test.each([
  ['without a scale', {}, 'tensor up.weight_scale is missing'],
  ['with one scale for all', { 'up.weight_scale': ref([1]) }, 'up.weight_scale has shape [1]'],
  ['with a scale for each group', { 'up.weight_scale': ref([6, 2]) }, 'up.weight_scale has shape [6, 2]'],
])('int8 codes %s are refused', async (_, scale, message) => {
  const table = tableOf({ 'up.weight': ref([6, 4], 'I8'), ...scale })
  await expectRefusal(() => table.linear('up', 6, 4, { bias: false }), 'model_invalid', message)
})

test('int8 is for matrices only: a bias or a norm of it is refused', async () => {
  const table = tableOf({
    'up.weight': ref([6, 4]),
    'up.bias': ref([6], 'I8'),
    'norm.weight': ref([4], 'I8'),
    'norm.bias': ref([4]),
  })
  await expectRefusal(() => table.linear('up', 6, 4), 'model_invalid', 'tiny: tensor up.bias is I8')
  await expectRefusal(() => table.norm('norm', 4, 1), 'model_invalid', 'tiny: tensor norm.weight is I8')
})

test('tensors that were not asked for are unused', () => {
  const table = tableOf({ 'pooler.weight': ref([4, 4]), 'encoder.up.weight': ref([6, 4]) })
  table.table('words', 50, 4)
  table.linear('encoder.up', 6, 4, { bias: false })
  expect(table.unused(BODY, [])).toEqual(['pooler.weight'])
})

test('a scale beside floats is not used, and refused as part of the body', async () => {
  const table = tableOf({ 'encoder.up.weight': ref([6, 4]), 'encoder.up.weight_scale': ref([6, 1]) })
  table.linear('encoder.up', 6, 4, { bias: false })
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
