import { describe, expect, test } from 'vitest'
import { dispatch } from '../../../src/dialects/dispatch.ts'
import type { Capability, ModelInfo } from '../../../src/task.ts'
import { modelInfo } from '../../fakes/model-info.ts'
import { SERVED, openService } from './ask.ts'
import { CASES } from './cases/others.ts'
import { testDialect } from './dialect.case.ts'

CASES.forEach(testDialect)

describe('vLLM’s score is', () => {
  const ask = async (fields: object, served?: readonly ModelInfo[]) => {
    const service = openService(served === undefined ? {} : { models: served })
    const response = await dispatch(
      { route: '/score', body: { text_1: 'a', text_2: ['b', 'c'], ...fields } },
      service,
    )
    return [response.status, service.tasks.map(({ kind }) => kind).join()]
  }

  test.each([
    [{}, 'rerank'],
    [{ model: 'judge' }, 'rerank'],
    [{ model: 'nobody' }, 'rerank'],
    [{ model: 'served-model' }, 'embed'],
    [{ model: 'Org/Served' }, 'embed'],
  ])('by %j a task to %s', async (fields, kind) => {
    expect(await ask(fields)).toEqual([200, kind])
  })

  test('a cosine where nothing reranks', async () => {
    expect(await ask({}, [SERVED])).toEqual([200, 'embed'])
  })

  test('a cosine of a model that embeds, though it could compare tokens; of one that compares them alone a ranking', async () => {
    const served = (...capabilities: readonly Capability[]) => [modelInfo({ id: 'm', capabilities })]
    expect(await ask({}, served('embed', 'multi_vector', 'rerank'))).toEqual([200, 'embed'])
    expect(await ask({}, served('multi_vector', 'rerank'))).toEqual([200, 'rerank'])
  })

  test.each([
    ['queries', 'documents'],
    ['data_1', 'data_2'],
  ])('of %s and %s too', async (first, second) => {
    const service = openService()
    await dispatch({ route: '/score', body: { [first]: ['a', 'b'], [second]: ['c', 'd'] } }, service)
    expect(service.tasks).toMatchObject([{ query: ['a', 'b'], documents: ['c', 'd'] }])
  })

  test('refused for lists of two lengths', async () => {
    const body = { text_1: ['a', 'b'], text_2: ['c', 'd', 'e'] }
    const { error } = await dispatch({ route: '/score', body }, openService())
    expect(error).toMatchObject({
      code: 'invalid_request',
      message: 'text_1 has 2 items and text_2 has 3; they must have as many, or text_1 one',
    })
  })
})
