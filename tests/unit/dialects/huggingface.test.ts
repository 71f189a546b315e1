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

  test('without any model that embeds is what the first does', async () => {
    const models = [modelInfo({ id: 'judge', capabilities: ['rerank', 'classify'] })]
    const service = openService({ models })
    await dispatch({ route: '/', body: { inputs: [['a', 'b']] } }, service)
    expect(service.tasks).toMatchObject([{ kind: 'classify', texts: ['a'], pairs: ['b'] }])
  })
})
