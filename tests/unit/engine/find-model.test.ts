import { describe, expect, test } from 'vitest'
import { findModel } from '../../../src/engine/find-model.ts'
import type { Capability, ModelInfo } from '../../../src/task.ts'

function served(id: string, capabilities: readonly Capability[], aliases: readonly string[] = []) {
  const info: ModelInfo = {
    id,
    aliases,
    capabilities,
    dimensions: undefined,
    maxTokens: 512,
    dtype: 'fp32',
    dtypeRequested: 'auto',
    provider: 'cpu',
    batchSize: 32,
    readyAt: 0,
    stats: { queuedItems: 0, heldRequests: 0, waitingTokens: 0, runningBatches: 0 },
    healthy: true,
  }
  return { info }
}

const SMALL = served('small', ['embed'], ['tiny', 'text-embedding-3-small'])
const LARGE = served('large', ['embed'])
const JUDGE = served('judge', ['rerank', 'classify'])
const MOODS = served('moods', ['classify'])

function refusal(models: readonly { readonly info: ModelInfo }[], task: Capability, name?: string) {
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
      message: 'model tiny embeds; it does not rerank. Models that can: judge.',
    })
    expect(refusal([SMALL, JUDGE], 'embed', 'judge')).toEqual({
      code: 'wrong_task',
      message: 'model judge reranks and classifies; it does not embed. Models that can: small.',
    })
  })
})

describe('several models of the task', () => {
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
      message: 'model moods classifies; it does not rerank. No served model can rerank.',
    })
  })
})

test('a name is matched as it is spelt', () => {
  expect(refusal([SMALL, LARGE], 'embed', 'Small')).toMatchObject({ code: 'model_not_found' })
  expect(refusal([SMALL, LARGE], 'embed', 'smal')).toMatchObject({ code: 'model_not_found' })
})
