import { describe, expect, test } from 'vitest'
import { ServerError } from '../../../src/errors.ts'
import { Lifecycle } from '../../../src/transports/lifecycle.ts'
import { modelInfo } from '../../fakes/model-info.ts'
import { FakeService } from '../../fakes/service.ts'

const FAILURE = new ServerError('load_failed', 'no memory')

function serviceOf(...health: readonly boolean[]) {
  const models = health.map((healthy, index) => modelInfo({ id: `model-${index}`, healthy }))
  return new FakeService({ models })
}

test('it starts without a service, and is not healthy', () => {
  const { state, service, refusal, healthy } = new Lifecycle()
  expect({ state, service, healthy }).toEqual({ state: 'starting', service: undefined, healthy: false })
  expect(refusal).toMatchObject({ code: 'starting', retryAfterMs: 1000 })
})

test('ready, it has its service', () => {
  const lifecycle = new Lifecycle()
  const service = serviceOf(true)
  lifecycle.ready(service)
  expect([lifecycle.state, lifecycle.healthy, lifecycle.refusal]).toEqual(['ready', true, undefined])
  expect(lifecycle.service).toBe(service)
})

test('draining, it keeps the service for what is under way, and is not healthy', () => {
  const lifecycle = new Lifecycle()
  lifecycle.ready(serviceOf(true))
  lifecycle.drain()
  expect([lifecycle.state, lifecycle.healthy]).toEqual(['draining', false])
  expect(lifecycle.service).toBeDefined()
  expect(lifecycle.refusal).toMatchObject({ code: 'stopping' })
})

test('failed, it tells why', () => {
  const lifecycle = new Lifecycle()
  lifecycle.fail(FAILURE)
  expect([lifecycle.state, lifecycle.healthy]).toEqual(['failed', false])
  expect(lifecycle.refusal).toMatchObject({ code: 'load_failed', message: 'no memory', cause: FAILURE })
})

test('failed, it does not tell clients where the operator keeps his models', () => {
  const lifecycle = new Lifecycle()
  lifecycle.fail(new ServerError('model_invalid', '/srv/models/bge is not a folder'))
  expect(lifecycle.refusal?.message).toBe('bge is not a folder')
})

test.each<[string, (lifecycle: Lifecycle) => void]>([
  ['draining', (lifecycle) => lifecycle.drain()],
  ['failed', (lifecycle) => lifecycle.fail(FAILURE)],
])('models that are there too late make a %s one no readier', (state, end) => {
  const lifecycle = new Lifecycle()
  end(lifecycle)
  lifecycle.ready(serviceOf(true))
  expect([lifecycle.state, lifecycle.healthy]).toEqual([state, false])
})

describe('its health', () => {
  test.each([
    [[true, true], true],
    [[true, false], false],
    [[false], false],
  ])('with models whose health is %j is %s', (health, healthy) => {
    const lifecycle = new Lifecycle()
    lifecycle.ready(serviceOf(...health))
    expect(lifecycle.healthy).toBe(healthy)
  })

  test('is that of the models when asked', () => {
    const models = [modelInfo({ healthy: true })]
    const lifecycle = new Lifecycle()
    lifecycle.ready(new FakeService({ models }))
    expect(lifecycle.healthy).toBe(true)
    models[0] = modelInfo({ healthy: false })
    expect(lifecycle.healthy).toBe(false)
  })
})
