import { describe, expect, test } from 'vitest'
import type { Operation } from '../../../src/engine/find-model.ts'
import { findModel } from '../../../src/engine/find-model.ts'
import type { Capability, ModelInfo } from '../../../src/task.ts'
import { modelInfo } from '../../fakes/model-info.ts'

function served(id: string, capabilities: readonly Capability[], aliases: readonly string[] = []) {
  return { info: modelInfo({ id, aliases, capabilities }) }
}

const SMALL = served('small', ['embed'], ['tiny', 'text-embedding-3-small'])
const LARGE = served('large', ['embed'])
const JUDGE = served('judge', ['rerank', 'classify'])
const MOODS = served('moods', ['classify'])
const SEEING = served('seeing', ['embed', 'image_embed'])
const HEARING = served('hearing', ['embed', 'audio_embed'])
const EYE = served('eye', ['image_embed'])

function refusal(
  models: readonly { readonly info: ModelInfo }[],
  task: Operation | readonly Capability[],
  name?: string,
) {
  try {
    findModel(models, task, name)
  } catch (error) {
    const { code, message } = error as Error & { code: string }
    return { code, message }
  }
  throw new Error('a model was found')
}

describe('one model of the task', () => {
  test.each([
    ['its name', 'small'],
    ['an alias', 'text-embedding-3-small'],
    ['a name that nobody serves', 'rerank'],
    ['no name', undefined],
  ])('%s finds it', (_, name) => {
    expect(findModel([JUDGE, SMALL, MOODS], 'embed', name)).toBe(SMALL)
  })

  test('a known name that does not do the task is the mistake of the client, and hints at who does', () => {
    expect(refusal([SMALL, JUDGE], 'rerank', 'tiny')).toEqual({
      code: 'wrong_task',
      message: 'model "tiny" embeds; it does not rerank. Models that can: judge.',
    })
    expect(refusal([SMALL, JUDGE], 'embed', 'judge')).toEqual({
      code: 'wrong_task',
      message: 'model "judge" reranks and classifies; it does not embed. Models that can: small.',
    })
  })
})

describe('several models of the task', () => {
  test.each([undefined, 'anything'])('the only one made for it is meant by the name %s', (name) => {
    expect(findModel([JUDGE, MOODS], 'classify', name)).toBe(MOODS)
    expect(findModel([JUDGE, MOODS], 'classify', 'judge')).toBe(JUDGE)
  })

  test.each([
    ['small', SMALL],
    ['tiny', SMALL],
    ['large', LARGE],
  ])('the name %s finds its own', (name, model) => {
    expect(findModel([SMALL, LARGE, JUDGE], 'embed', name)).toBe(model)
  })

  test('a name that nobody serves is not found, and those that do the task are listed', () => {
    expect(refusal([SMALL, LARGE, JUDGE], 'embed', 'medium')).toEqual({
      code: 'model_not_found',
      message: 'model "medium" is not served; models that can embed: small, large',
    })
  })

  test('no name is a mistake that lists them', () => {
    expect(refusal([SMALL, LARGE, JUDGE], 'embed')).toEqual({
      code: 'invalid_request',
      message: 'model is missing, and several models can embed: small, large',
    })
  })
})

describe('no model of the task', () => {
  test.each([['medium'], [undefined]])('name %s: says what is served', (name) => {
    expect(refusal([SMALL, MOODS], 'rerank', name)).toEqual({
      code: 'wrong_task',
      message: 'no served model can rerank; served: small (embeds), moods (classifies)',
    })
  })

  test('a known name: says what that model does', () => {
    expect(refusal([SMALL, MOODS], 'rerank', 'moods')).toEqual({
      code: 'wrong_task',
      message: 'model "moods" classifies; it does not rerank. No served model can rerank.',
    })
  })
})

describe.each(['tokenize', 'decode'] as const)('to %s', (task) => {
  test('any model is able that is named', () => {
    for (const model of [SMALL, JUDGE, MOODS]) {
      expect(findModel([SMALL, JUDGE, MOODS], task, model.info.id)).toBe(model)
    }
    expect(findModel([SMALL, JUDGE], task, 'tiny')).toBe(SMALL)
  })

  test('the sole model is meant by any name, and by none', () => {
    expect(findModel([JUDGE], task, undefined)).toBe(JUDGE)
    expect(findModel([JUDGE], task, 'medium')).toBe(JUDGE)
  })

  test('the sole model that embeds is meant by an unknown name and by none, as it is when the text is embedded', () => {
    expect(findModel([JUDGE, SMALL, MOODS], task, 'text-embedding-ada-002')).toBe(SMALL)
    expect(findModel([JUDGE, SMALL, MOODS], task, undefined)).toBe(SMALL)
  })

  test('where several embed, or none does, no name means the first model, and an unknown one nothing', () => {
    for (const models of [
      [SMALL, LARGE],
      [JUDGE, MOODS],
    ]) {
      expect(findModel(models, task, undefined)).toBe(models[0])
      expect(refusal(models, task, 'medium')).toEqual({
        code: 'model_not_found',
        message: `model "medium" is not served; models that can ${task}: ${models.map(({ info }) => info.id).join(', ')}`,
      })
    }
  })
})

test('of a long name its beginning is shown', () => {
  expect(refusal([SMALL, LARGE], 'embed', 'x'.repeat(100)).message).toContain(`model "${'x'.repeat(100)}" is`)
  expect(refusal([SMALL, LARGE], 'embed', 'x'.repeat(9000)).message).toContain(
    `model "${'x'.repeat(100)}…" is`,
  )
  const long = served('y'.repeat(200), ['classify'])
  expect(refusal([SMALL, long], 'embed', long.info.id).message).toMatch(/^model "y{100}…" classifies/)
})

test('a name is matched as it is spelt', () => {
  expect(refusal([SMALL, LARGE], 'embed', 'Small')).toMatchObject({ code: 'model_not_found' })
  expect(refusal([SMALL, LARGE], 'embed', 'smal')).toMatchObject({ code: 'model_not_found' })
})

describe('to embed what is no text', () => {
  test('the model is the one that can do all of it', () => {
    const models = [SMALL, SEEING, HEARING, EYE]
    expect(findModel(models, ['audio_embed'], undefined)).toBe(HEARING)
    expect(findModel(models, ['embed', 'image_embed'], 'a placeholder')).toBe(SEEING)
    expect(findModel(models, ['image_embed'], 'eye')).toBe(EYE)
  })

  test('of several that can none is meant, be one made for nothing else', () => {
    expect(refusal([SEEING, EYE], ['image_embed'])).toEqual({
      code: 'invalid_request',
      message: 'model is missing, and several models can embed images: seeing, eye',
    })
  })

  test('a model is refused for what it lacks, and told who lacks nothing', () => {
    expect(refusal([SMALL, SEEING, EYE], ['embed', 'image_embed'], 'eye')).toEqual({
      code: 'wrong_task',
      message: 'model "eye" embeds images; it does not embed texts. Models that can: seeing.',
    })
    expect(refusal([SMALL, HEARING], ['embed', 'image_embed'], 'hearing').message).toBe(
      'model "hearing" embeds and embeds audio; it does not embed images. No served model can embed texts and embed images.',
    )
    expect(refusal([SMALL, JUDGE], ['audio_embed']).message).toBe(
      'no served model can embed audio; served: small (embeds), judge (reranks and classifies)',
    )
  })

  test('a model that reads no text has no tokens', () => {
    expect(findModel([EYE, JUDGE], 'tokenize', undefined)).toBe(JUDGE)
    expect(refusal([EYE, JUDGE], 'decode', 'eye')).toEqual({
      code: 'wrong_task',
      message: 'model "eye" embeds images; it does not decode. Models that can: judge.',
    })
    expect(refusal([EYE], 'embed', undefined).message).toBe(
      'no served model can embed texts; served: eye (embeds images)',
    )
  })
})
