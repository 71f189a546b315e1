import { describe, expect, test } from 'vitest'
import { dispatch } from '../../../src/dialects/dispatch.ts'
import { modelInfo } from '../../fakes/model-info.ts'
import { openService } from './ask.ts'
import { CASES } from './cases/huggingface.ts'
import { testDialect } from './dialect.case.ts'

CASES.forEach(testDialect)

describe('what a model does with inputs', () => {
  test.each([
    ['/', {}, 'embed'],
    ['/', { model: 'critic' }, 'classify'],
    ['/', { model: 'Org/Served' }, 'embed'],
    ['/', { model: 'nobody' }, 'embed'],
    ['/models/critic', {}, 'classify'],
    ['/models/critic', { model: 'served-model' }, 'classify'],
    ['/models/nobody', {}, 'embed'],
  ])('at %s with %j is to %s', async (route, fields, kind) => {
    const service = openService()
    await dispatch({ route, body: { inputs: 'a', ...fields } }, service)
    expect(service.tasks.map((task) => task.kind)).toEqual([kind])
  })

  test('is the vectors of tokens where nothing embeds or classifies and a model compares tokens', async () => {
    const comparer = modelInfo({ id: 'comparer', capabilities: ['multi_vector', 'rerank'] })
    const kinds = async (models: readonly (typeof comparer)[]) => {
      const service = openService({ models, tokenVectors: () => [[1, 2]] })
      await dispatch({ route: '/', body: { inputs: 'a' } }, service)
      return service.tasks.map(({ kind }) => kind)
    }
    expect(await kinds([comparer])).toEqual(['embed_tokens'])
    const critic = modelInfo({ id: 'critic', capabilities: ['classify'] })
    expect(await kinds([comparer, critic])).toEqual(['classify'])
  })

  test('without any model that embeds is what the first does', async () => {
    const models = [modelInfo({ id: 'judge', capabilities: ['rerank', 'classify'] })]
    const service = openService({ models })
    await dispatch({ route: '/', body: { inputs: [['a', 'b']] } }, service)
    expect(service.tasks).toMatchObject([{ kind: 'classify', texts: ['a'], pairs: ['b'] }])
  })
})
