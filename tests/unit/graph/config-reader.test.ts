import { expect, test } from 'vitest'
import { ConfigReader } from '../../../src/graph/config-reader.ts'
import { expectRefusal } from '../model/expect-refusal.ts'

const ACTIVATIONS = { gelu: 'exact', gelu_new: 'tanh' }

function reader(config: Readonly<Record<string, unknown>>): ConfigReader {
  return new ConfigReader('tiny', config)
}

async function expectInvalid(action: () => unknown, ...parts: readonly string[]): Promise<void> {
  await expectRefusal(action, 'model_invalid', 'tiny: ', 'in config.json', ...parts)
}

test('whole numbers are read as a list or as one alone', async () => {
  expect(reader({ depths: [2, 6] }).ints('depths', [1])).toEqual([2, 6])
  expect(reader({ depths: 4 }).ints('depths', [1])).toEqual([4])
  expect(reader({}).ints('depths', [2, 2])).toEqual([2, 2])
  expect(reader({ depths: null }).ints('depths', [2, 2])).toEqual([2, 2])
  for (const depths of [[], [1, 2, 3], [1, 10], [0], [1.5], ['2'], 'two', {}])
    await expectInvalid(
      () => reader({ depths }).ints('depths', [1], { entries: 2, most: 9 }),
      `depths in config.json is ${JSON.stringify(depths)}`,
      '1 to 2 whole numbers of at least 1 and at most 9',
    )
})

test('a whole number is read as it is', () => {
  expect(reader({ hidden_size: 384 }).int('hidden_size')).toBe(384)
  expect(reader({ layers: 0 }).int('layers', undefined, 0)).toBe(0)
})

test('of several names for one setting the first that is neither absent nor null counts', () => {
  expect(reader({ dim: 8, hidden_size: 16 }).nameOf('dim', 'hidden_size')).toBe('dim')
  expect(reader({ hidden_size: 16 }).nameOf('dim', 'hidden_size')).toBe('hidden_size')
  expect(reader({ dim: null, hidden_size: 16 }).nameOf('dim', 'hidden_size')).toBe('hidden_size')
  expect(reader({}).nameOf('dim', 'hidden_size')).toBe('dim')
})

test('a fallback stands for what is absent or null, and for nothing else', async () => {
  expect(reader({}).int('type_vocab_size', 2)).toBe(2)
  expect(reader({ type_vocab_size: null }).int('type_vocab_size', 2)).toBe(2)
  expect(reader({ eps: null }).fraction('eps', 1e-12)).toBe(1e-12)
  expect(reader({}).choice('act', ACTIVATIONS, 'gelu')).toBe('exact')
  await expectInvalid(() => reader({ type_vocab_size: 0 }).int('type_vocab_size', 2), 'is 0')
  await expectInvalid(() => reader({ act: '' }).choice('act', ACTIVATIONS, 'gelu'), 'is ""')
})

test.each([
  ['missing', {}, 'hidden_size in config.json is missing'],
  ['zero', { hidden_size: 0 }, 'is 0'],
  ['negative', { hidden_size: -8 }, 'is -8'],
  ['a fraction', { hidden_size: 1.5 }, 'is 1.5'],
  ['a text', { hidden_size: '384' }, 'is "384"'],
  ['a list', { hidden_size: [384] }, 'is [384]'],
])('a whole number that is %s is refused with key, value and bound', async (_, config, is) => {
  await expectInvalid(() => reader(config).int('hidden_size'), 'hidden_size', is, 'at least 1')
})

test('the least whole number is part of the refusal', async () => {
  await expectInvalid(() => reader({ window: 3 }).int('window', undefined, 4), 'window', 'is 3', 'at least 4')
})

test.each([2 ** 31, 1e300])('a whole number as large as %d is refused with the largest', async (size) => {
  await expectInvalid(
    () => reader({ size }).int('size'),
    `size in config.json is ${size}`,
    'at most 2147483647',
  )
  expect(reader({ size: 2 ** 31 - 1 }).int('size')).toBe(2 ** 31 - 1)
})

test('what is listed one by one is refused where it is more than a thousand', async () => {
  expect(reader({ layers: 1000 }).count('layers')).toBe(1000)
  expect(reader({}).count('layers', 3)).toBe(3)
  await expectInvalid(() => reader({ layers: 1001 }).count('layers'), 'layers', 'is 1001', 'at most 1000')
  await expectInvalid(() => reader({ layers: 0 }).count('layers'), 'layers', 'is 0', 'at least 1')
  await expectInvalid(() => reader({ turns: 4 }).count('turns', 1, 3), 'turns', 'is 4', 'at most 3')
})

test('a list is told by its length, and refused where it is none, empty, or longer than a thousand', async () => {
  expect(reader({ tasks: ['a', 1] }).listLength('tasks')).toBe(2)
  expect(reader({}).listLength('tasks')).toBeUndefined()
  expect(reader({ tasks: null }).listLength('tasks')).toBeUndefined()
  for (const tasks of ['ab', [], {}, Array(1001).fill('a')])
    await expectInvalid(() => reader({ tasks }).listLength('tasks'), 'tasks', 'a list of 1 to 1000 entries')
})

test('a number is read as it is', () => {
  expect(reader({ eps: 1e-7 }).fraction('eps')).toBe(1e-7)
  expect(reader({ eps: 0 }).fraction('eps', 1)).toBe(0)
})

test.each([
  ['missing', {}, 'eps in config.json is missing'],
  ['a text', { eps: '1e-12' }, 'is "1e-12"'],
  ['not finite', { eps: Infinity }, 'eps'],
  ['a boolean', { eps: true }, 'is true'],
])('a number that is %s is refused', async (_, config, is) => {
  await expectInvalid(() => reader(config).fraction('eps'), is, 'a number from 0 to 1')
})

test('a choice is what its key stands for', () => {
  expect(reader({ act: 'gelu_new' }).choice('act', ACTIVATIONS)).toBe('tanh')
})

test.each([
  ['unknown', { act: 'mish' }, 'act in config.json is "mish"'],
  ['missing', {}, 'act in config.json is missing'],
  ['a number', { act: 3 }, 'is 3'],
  ['a name that every object answers to', { act: 'toString' }, 'is "toString"'],
])('a choice that is %s is refused with the choices', async (_, config, is) => {
  await expectInvalid(() => reader(config).choice('act', ACTIVATIONS), is, 'one of gelu, gelu_new')
})

test('an expected value, null or absence passes', () => {
  for (const config of [{ kind: 'absolute' }, { kind: null }, {}]) {
    expect(() => reader(config).expect('kind', ['absolute'])).not.toThrow()
  }
  expect(() => reader({ kind: 2 }).expect('kind', [1, 2])).not.toThrow()
})

test.each([
  ['another value', { kind: 'alibi' }, 'kind "alibi"'],
  ['another type', { kind: 0 }, 'kind 0'],
  ['an object', { kind: { type: 'rope' } }, 'kind {"type":"rope"}'],
])('%s than expected is unsupported, with key, value and what is allowed', async (_, config, is) => {
  await expectRefusal(
    () => reader(config).expect('kind', [false, 'absolute']),
    'model_unsupported',
    `tiny: config.json has ${is}`,
    'false or "absolute" only',
  )
})
