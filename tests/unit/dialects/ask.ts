/** Asks as a transport would, and holds every answer to what all answers must be. */
import { expect } from 'vitest'
import { plainJson } from '../../../src/base/plain-json.ts'
import { dispatch } from '../../../src/dialects/dispatch.ts'
import type { WireResponse } from '../../../src/dialects/dispatch.ts'
import type { Task } from '../../../src/task.ts'
import { modelInfo } from '../../fakes/model-info.ts'
import type { FakeServiceOptions } from '../../fakes/service.ts'
import { FakeService } from '../../fakes/service.ts'
import type { DialectCase } from './dialect.case.ts'

export const SERVED = modelInfo({ id: 'served-model', aliases: ['Org/Served'], prompts: ['query'] })

/** Answers like a server with models of every kind; a text's numbers tell its length. */
export function openService(options: FakeServiceOptions = {}): FakeService {
  return new FakeService({
    models: [
      SERVED,
      modelInfo({ id: 'judge', capabilities: ['rerank'], dimensions: undefined }),
      modelInfo({ id: 'critic', capabilities: ['classify'], dimensions: undefined, labels: ['bad', 'good'] }),
    ],
    vector: (text) => [text.length, -0.5, 0.1],
    score: (document) => document.length / 8,
    labels: ['bad', 'good'],
    labelScores: (text) => [0.25, text.length],
    logit: (score) => score - 4,
    ...options,
  })
}

export interface Asked {
  readonly response: WireResponse
  readonly status: number
  /** As a client reads it, ids and times aside. */
  readonly body: unknown
  readonly tasks: readonly Task[]
}

export async function ask(
  { endpoint, route, service: options }: Pick<DialectCase, 'endpoint' | 'route' | 'service'>,
  body: unknown,
  more: FakeServiceOptions = {},
): Promise<Asked> {
  const service = openService({ ...options, ...more })
  const response = await dispatch({ method: endpoint?.method, route, body }, service)
  return {
    response,
    status: response.status,
    body: withoutIds(await plainJson(response.body)),
    tasks: service.tasks,
  }
}

/** The answer to a request that must succeed, checked against what its endpoint promises. */
export async function askWell(dialect: DialectCase, body: unknown): Promise<Asked> {
  const asked = await ask(dialect, body)
  expect(asked.response.error).toBeUndefined()
  const { response: schema = dialect.endpoint?.docs?.response } = dialect
  const plain = await plainJson(asked.response.body)
  // A schema drops what it does not declare: what is dropped has been promised to nobody.
  if (schema !== undefined) expect(schema.parse(plain)).toEqual(plain)
  for (const key of ['error', 'detail', 'message']) expect(plain).not.toHaveProperty(key)
  return asked
}

const ID = /^((?:[a-z]+-)?)[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}$/

/** Ids keep their prefix; a time that is now is `'now'`. */
export function withoutIds(value: unknown): unknown {
  if (typeof value === 'string') return value.replace(ID, '$1ID')
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(withoutIds)
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      key === 'created' && Math.abs((inner as number) - Date.now() / 1000) < 60 ? 'now' : withoutIds(inner),
    ]),
  )
}
