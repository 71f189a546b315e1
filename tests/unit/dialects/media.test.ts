import { expect, test } from 'vitest'
import { dispatch } from '../../../src/dialects/dispatch.ts'
import { modelInfo } from '../../fakes/model-info.ts'
import { FakeService } from '../../fakes/service.ts'
import { CASES } from './cases/media.ts'
import { testDialect } from './dialect.case.ts'

CASES.forEach(testDialect)

test.each(['texts', 'inputs', 'input'])('Cohere’s images beside %s are refused', async (field) => {
  const service = new FakeService()
  const body = { images: ['data:,x'], [field]: ['a'] }
  const { error } = await dispatch({ route: '/v2/embed', body }, service)
  expect([error?.code, error?.message]).toEqual([
    'invalid_request',
    `images and ${field} are both given; send one of them, or inputs, whose items have a content each`,
  ])
  expect(service.tasks).toEqual([])
})

test.each(['embed', 'image_embed', 'audio_embed'] as const)(
  'a model that can %s is listed with it, as one of embeddings',
  async (capability) => {
    const service = new FakeService({ models: [modelInfo({ id: 'M', capabilities: [capability] })] })
    const { body } = await dispatch({ route: '/v1/models', body: undefined }, service)
    expect(body).toMatchObject({ data: [{ capabilities: [capability], model_type: 'embedding' }] })
  },
)
