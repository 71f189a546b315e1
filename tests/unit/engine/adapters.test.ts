import { describe, expect, test } from 'vitest'
import type { Engine } from '../../../src/engine/engine.ts'
import { ResultCache } from '../../../src/engine/result-cache.ts'
import { NO_ADAPTER } from '../../../src/runtime/runner.ts'
import type { RaggedBatch } from '../../../src/runtime/runner.ts'
import type { PromptChoice } from '../../../src/task.ts'
import type { FakeModel } from '../../fakes/model.ts'
import { engineOf, fakeModel } from '../../fakes/model.ts'

const ANY = { model: undefined }
const QUERY = { name: 'query', ifUnknown: 'ignore' } as const
const SEPARATION = { name: 'separation', ifUnknown: 'ignore' } as const

/** A model with two adapters, and the adapters of each batch that it runs. */
function open(): { model: FakeModel; seen: number[][] } {
  const prompts = { query: '', 'retrieval.query': '', separation: '' }
  const model = fakeModel({ spec: { prompts, adapters: ['retrieval.query', 'separation'] } })
  const seen: number[][] = []
  const { run } = model.runner
  Object.assign(model.runner, {
    run: (batch: RaggedBatch) => {
      seen.push([...batch.adapters])
      return run(batch)
    },
  })
  return { model, seen }
}

const OPERATIONS: readonly (readonly [
  string,
  (engine: Engine, prompt?: PromptChoice) => Promise<unknown>,
])[] = [
  ['embed', (engine, prompt) => engine.embed({ kind: 'embed', ...ANY, texts: ['a', 'b'], prompt })],
  [
    'embed tokens',
    (engine, prompt) => engine.embedTokens({ kind: 'embed_tokens', ...ANY, texts: ['a', 'b'], prompt }),
  ],
]

describe.each(OPERATIONS)('texts to %s', (_, ask) => {
  test.each([
    ['retrieval.query', QUERY, 0],
    ['separation', SEPARATION, 1],
    ['nothing that there is an adapter for', undefined, NO_ADAPTER],
  ])('for %s go through the adapter of that', async (_, prompt, adapter) => {
    const { model, seen } = open()
    await ask(engineOf([model]), prompt)
    expect(seen).toEqual([[adapter, adapter]])
  })
})

test('chunks of a document go through the adapter together', async () => {
  const { model, seen } = open()
  const task = { kind: 'embed', ...ANY, texts: ['ab', 'c'], lateChunking: true, prompt: SEPARATION } as const
  await engineOf([model]).embed(task)
  expect(seen).toEqual([[1]])
})

test('a result is not taken for that of the same text with another adapter', async () => {
  const { model, seen } = open()
  const engine = engineOf([model], { cache: new ResultCache({ maxBytes: 1_000_000 }) })
  const ask = (prompt: PromptChoice | undefined) =>
    engine.embed({ kind: 'embed', ...ANY, texts: ['a'], prompt })
  for (const prompt of [QUERY, SEPARATION, undefined, QUERY, SEPARATION]) await ask(prompt)
  expect(seen).toEqual([[0], [1], [NO_ADAPTER]])
})

test('the tasks that a model has adapters for are told', () => {
  const { model } = open()
  expect(engineOf([model]).models()[0]?.adapters).toEqual(['retrieval.query', 'separation'])
  expect(engineOf([fakeModel()]).models()[0]?.adapters).toEqual([])
})
