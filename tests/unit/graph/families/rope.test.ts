import { describe, expect, test } from 'vitest'
import { ConfigReader } from '../../../../src/graph/config-reader.ts'
import type { RopeOptions } from '../../../../src/graph/families/rope.ts'
import { readRotary } from '../../../../src/graph/families/rope.ts'
import { expectRefusal } from '../../model/expect-refusal.ts'

const PLAIN = [1, 0.1, 0.01, 0.001]

function rotary(config: Readonly<Record<string, unknown>>, options: Partial<RopeOptions> = {}) {
  const reader = new ConfigReader('tiny', { max_position_embeddings: 64, ...config })
  return readRotary(reader, { headWidth: 8, theta: 10_000, ...options })
}

function expectFrequencies(actual: readonly number[], expected: readonly number[]): void {
  expect(actual).toHaveLength(expected.length)
  expected.forEach((value, index) => expect(actual[index]).toBeCloseTo(value, 12))
}

test('numbers j turn by the base to the power −2j / D', () => {
  const { frequencies, magnitude } = rotary({})
  expectFrequencies(frequencies, PLAIN)
  expect(magnitude).toBeUndefined()
})

describe('the base', () => {
  test.each([
    ['rope_theta', { rope_theta: 16 }],
    ['rope_parameters', { rope_parameters: { rope_type: 'default', rope_theta: 16 } }],
    ['rope_parameters before rope_theta', { rope_theta: 81, rope_parameters: { rope_theta: 16 } }],
  ])('is read from %s', (_, config) => {
    expectFrequencies(rotary(config).frequencies, [1, 0.5, 0.25, 0.125])
  })

  test('of a kind of layer is read from its section, or from its own key', () => {
    const options = { layerType: 'sliding_attention', thetaKey: 'local_theta', scaled: false } as const
    const sections = { full_attention: { rope_theta: 81 }, sliding_attention: { rope_theta: 16 } }
    for (const config of [{ rope_parameters: sections }, { local_theta: 16, rope_theta: 81 }]) {
      expectFrequencies(rotary(config, options).frequencies, [1, 0.5, 0.25, 0.125])
    }
  })
})

describe('scaling', () => {
  test.each(['rope_type', 'type'])('linear, named by %s, divides every frequency', (key) => {
    const { frequencies } = rotary({ rope_scaling: { [key]: 'linear', factor: 4 } })
    expectFrequencies(
      frequencies,
      PLAIN.map((frequency) => frequency / 4),
    )
  })

  test('of older files is not for layers that say so', () => {
    const config = { rope_scaling: { rope_type: 'linear', factor: 4 } }
    expectFrequencies(rotary(config, { scaled: false }).frequencies, PLAIN)
  })

  test('of an older file takes the place of what a newer one says, base and all', () => {
    const both = { rope_parameters: { rope_theta: 16 }, rope_scaling: { rope_type: 'linear', factor: 4 } }
    expectFrequencies(
      rotary(both).frequencies,
      PLAIN.map((frequency) => frequency / 4),
    )
    expectFrequencies(rotary({ ...both, rope_scaling: {} }).frequencies, [1, 0.5, 0.25, 0.125])
    const own = { ...both, rope_scaling: { ...both.rope_scaling, rope_theta: 16 } }
    expectFrequencies(rotary(own).frequencies, [1 / 4, 0.5 / 4, 0.25 / 4, 0.125 / 4])
  })

  test('of an older file is laid over the section of a kind of layer', () => {
    const section = { full_attention: { rope_type: 'default', rope_theta: 16 } }
    const both = { rope_parameters: section, rope_scaling: { rope_type: 'linear', factor: 4 } }
    const { frequencies } = rotary(both, { layerType: 'full_attention' })
    expectFrequencies(frequencies, [1 / 4, 0.5 / 4, 0.25 / 4, 0.125 / 4])
    const local = rotary(both, { layerType: 'full_attention', scaled: false })
    expectFrequencies(local.frequencies, [1, 0.5, 0.25, 0.125])
  })

  test('dynamic changes nothing within the positions that texts are cut to', () => {
    expectFrequencies(rotary({ rope_scaling: { rope_type: 'dynamic', factor: 2 } }).frequencies, PLAIN)
  })

  test('llama3 keeps what turns often, slows what turns seldom, and blends between', () => {
    const trained = 2 * Math.PI * 100
    const scaling = { factor: 8, low_freq_factor: 1, high_freq_factor: 4 }
    const rope = { rope_type: 'llama3', ...scaling, original_max_position_embeddings: Math.round(trained) }
    const { frequencies } = rotary({ rope_scaling: rope }, { theta: 1e8 })
    // turns within the trained length: 100, 1, 0.01, 0.0001, the second a hair more than 1
    expect(frequencies[0]).toBe(1)
    expect(frequencies[1]).toBeCloseTo(0.01 / 8, 5)
    expect(frequencies[2]).toBeCloseTo(0.0001 / 8, 12)
    const between = rotary(
      { rope_scaling: { ...rope, original_max_position_embeddings: 1571 } },
      { theta: 1e8 },
    )
    // 2.5 turns: half way from 1 to 4
    expect(between.frequencies[1]).toBeCloseTo(0.5 * (0.01 / 8) + 0.5 * 0.01, 5)
  })

  test.each([
    ['of the factor', {}, 0.1 * Math.log(16) + 1],
    ['as the folder says', { attention_factor: 1.5 }, 1.5],
    [
      'of two scales',
      { mscale: 2, mscale_all_dim: 0.5 },
      (0.2 * Math.log(16) + 1) / (0.05 * Math.log(16) + 1),
    ],
  ])('yarn warms attention %s', (_, more, magnitude) => {
    const rope = { rope_type: 'yarn', factor: 16, original_max_position_embeddings: 64, ...more }
    expect(rotary({ rope_scaling: rope }).magnitude).toBeCloseTo(magnitude, 12)
  })

  test('yarn keeps the first numbers and slows the last', () => {
    const rope = { rope_type: 'yarn', factor: 16, original_max_position_embeddings: 4096 }
    const { frequencies } = rotary({ rope_scaling: rope }, { headWidth: 64 })
    expect(frequencies[0]).toBe(1)
    expect(frequencies[31]).toBeCloseTo(10_000 ** (-62 / 64) / 16, 12)
    expect(frequencies).toEqual(frequencies.toSorted((a, b) => b - a))
  })
})

test.each([
  [
    'an unknown kind',
    { rope_scaling: { rope_type: 'spiral' } },
    'rope_scaling.rope_type in config.json is "spiral"',
    'yarn',
  ],
  [
    'a missing factor',
    { rope_scaling: { rope_type: 'linear' } },
    'rope_scaling.factor in config.json is missing',
    'above 0',
  ],
  ['a base of 0', { rope_theta: 0 }, 'rope_theta in config.json is 0', 'above 0'],
  ['a list', { rope_parameters: [1] }, 'rope_parameters in config.json is [1]', 'an object'],
] as const)('%s is refused', async (_, config, says, wanted) => {
  await expectRefusal(() => rotary(config), 'model_invalid', says, wanted)
})

test('turning only some of the numbers is refused', async () => {
  await expectRefusal(
    () => rotary({ partial_rotary_factor: 0.5 }),
    'model_unsupported',
    'partial_rotary_factor 0.5',
  )
})

test.each([
  [5, 'heads 5 numbers wide'],
  [2 ** 31 - 2, 'heads 2147483646 numbers wide'],
])('heads of %d numbers cannot be turned', async (headWidth, says) => {
  await expectRefusal(() => rotary({}, { headWidth }), 'model_invalid', says, 'even', '65536 at most')
})
