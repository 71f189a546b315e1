import { describe, expect, test } from 'vitest'
import type { ModelSpec } from '../../../src/model/spec.ts'
import type { EmbedTask } from '../../../src/task.ts'
import { NORMALIZE, POOLING, engineOf, fakeModel } from '../../fakes/model.ts'

/** Of norm 13 before it was normalized. */
const RAW = [3, 4, 12, 0]
const UNIT = RAW.map((value) => value / 13)

/** Its graph gives the norm after the vector. */
function normalizing(spec: Partial<ModelSpec> = {}) {
  const limits = { outputWidth: 5, vectorWidth: 4 }
  return fakeModel({ limits, compute: () => [...UNIT, 13], steps: [POOLING, NORMALIZE], spec })
}

function plain(spec: Partial<ModelSpec> = {}) {
  return fakeModel({ limits: { outputWidth: 4 }, compute: () => RAW, steps: [POOLING], spec })
}

async function embed(model: ReturnType<typeof fakeModel>, fields: Partial<EmbedTask> = {}) {
  const task = { kind: 'embed', model: undefined, texts: ['a', 'b'], ...fields } as const
  const { vectors, dimensions } = await engineOf([model]).embed(task)
  const [first, second] = [vectors.subarray(0, dimensions), vectors.subarray(dimensions)]
  expect(second).toEqual(first)
  return [...first]
}

function expectClose(actual: readonly number[], expected: readonly number[]): void {
  expect(actual).toHaveLength(expected.length)
  for (const [index, value] of expected.entries()) expect(actual[index]).toBeCloseTo(value, 6)
}

const HALF = { truncateDimensions: 2 }
const [A, B] = UNIT as [number, number]

describe.each<[string, Partial<EmbedTask>, Partial<ModelSpec>, readonly number[]]>([
  ['as the files say', {}, {}, UNIT],
  ['normalized', { normalize: true }, {}, UNIT],
  ['not normalized', { normalize: false }, {}, RAW],
  ['cut by the client', { dimensions: 2 }, {}, [0.6, 0.8]],
  ['cut by the client, normalized', { dimensions: 2, normalize: true }, {}, [0.6, 0.8]],
  ['cut by the client, not normalized', { dimensions: 2, normalize: false }, {}, [3, 4]],
  ['cut by the files', {}, HALF, [A, B]],
  ['cut by the files, normalized', { normalize: true }, HALF, [0.6, 0.8]],
  ['cut by the files, not normalized', { normalize: false }, HALF, [3, 4]],
  ['cut by the files, and whole for the client', { dimensions: 4 }, HALF, UNIT],
])('a vector of a model that normalizes, %s', (_, fields, spec, expected) => {
  test(`is ${expected.map((value) => value.toFixed(2)).join()}`, async () => {
    expectClose(await embed(normalizing(spec), fields), expected)
  })
})

describe.each<[string, Partial<EmbedTask>, Partial<ModelSpec>, readonly number[]]>([
  ['as the files say', {}, {}, RAW],
  ['normalized', { normalize: true }, {}, UNIT],
  ['not normalized', { normalize: false }, {}, RAW],
  ['cut by the client', { dimensions: 2 }, {}, [3, 4]],
  ['cut by the client, normalized', { dimensions: 2, normalize: true }, {}, [0.6, 0.8]],
  ['cut by the files', {}, HALF, [3, 4]],
  ['cut by the files, normalized', { normalize: true }, HALF, [0.6, 0.8]],
])('a vector of a model that does not normalize, %s', (_, fields, spec, expected) => {
  test(`is ${expected.map((value) => value.toFixed(2)).join()}`, async () => {
    expectClose(await embed(plain(spec), fields), expected)
  })
})

test('a Normalize that is not the last step leaves no norm to go back to: the vector is as pooled', async () => {
  const steps = [
    POOLING,
    NORMALIZE,
    { kind: 'dense', weight: {}, bias: undefined, activation: 'tanh' },
  ] as never
  const model = fakeModel({ limits: { outputWidth: 4 }, compute: () => RAW, steps })
  expectClose(await embed(model, { normalize: false }), RAW)
})

test('the cut that the files ask for is what is listed', () => {
  expect(engineOf([normalizing(HALF)]).models()[0]?.dimensions).toBe(2)
  expect(engineOf([normalizing({ truncateDimensions: 9 })]).models()[0]?.dimensions).toBe(4)
})

test.each([0, -1, 5])('%i dimensions are refused with the limits, before any work', async (dimensions) => {
  const model = normalizing()
  await expect(embed(model, { dimensions })).rejects.toMatchObject({
    code: 'invalid_request',
    message: `dimensions is ${dimensions}; fake-model has 1 to 4`,
  })
  expect(model.tokenizer.calls).toEqual([])
})

test('of a model with routes the vector of the kind that is asked for is taken, and the first one else', async () => {
  const steps = [POOLING, NORMALIZE]
  const head = {
    kind: 'embedding',
    steps,
    routes: [
      { tasks: ['document'], steps },
      { tasks: ['query'], steps },
    ],
  } as const
  const limits = { outputWidth: 6, vectorWidth: 2 }
  const model = fakeModel({
    limits,
    compute: () => [0.6, 0.8, 10, 0, 1, 7],
    spec: { head, prompts: { query: '' } },
  })
  const query = { name: 'query', ifUnknown: 'ignore' } as const
  expectClose(await embed(model), [0.6, 0.8])
  expectClose(await embed(model, { prompt: query }), [0, 1])
  expectClose(await embed(model, { prompt: query, normalize: false }), [0, 7])
  expectClose(await embed(model, { prompt: { text: 'query' } }), [0.6, 0.8])
})
