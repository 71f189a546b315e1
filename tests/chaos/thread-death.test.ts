/** A real inference thread that dies over some texts. Whatever else was asked is answered, and rightly. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { settle } from '../fakes/runner.ts'
import { BUNDLED_MODEL, type OpenModel, openModel } from '../open-model.ts'

const ENTRY = new URL('../fakes/dying-inference-thread.ts', import.meta.url)

let healthy: OpenModel
let mortal: OpenModel
beforeAll(async () => {
  ;[healthy, mortal] = await Promise.all([
    openModel(BUNDLED_MODEL),
    openModel(BUNDLED_MODEL, { entry: ENTRY }),
  ])
})
afterAll(() => Promise.all([healthy?.close(), mortal?.close()]))

function embed(model: OpenModel, texts: readonly string[]) {
  return model.engine.embed({ kind: 'embed', model: undefined, texts })
}

/** The vectors are those of a thread that never died. */
async function expectRight(
  answer: Promise<{ vectors: Float32Array }>,
  texts: readonly string[],
): Promise<void> {
  const [{ vectors }, expected] = await Promise.all([answer, embed(healthy, texts)])
  expect(vectors.length).toBe(384 * texts.length)
  const differences = vectors.map((value, index) => Math.abs(value - (expected.vectors[index] ?? NaN)))
  expect(Math.max(...differences)).toBeLessThan(2e-5)
}

function stats() {
  return mortal.engine.models()[0]?.stats
}

async function expectIdle(): Promise<void> {
  await settle()
  expect(stats()).toMatchObject({ queuedItems: 0, runningBatches: 0 })
}

describe.each([
  ['exits', 'volcano'],
  ['throws', 'glacier'],
])('a thread that %s over a word', (_, word) => {
  test('fails that text alone, named, as poisoned', async () => {
    await expect(embed(mortal, ['calm', `the ${word} wakes`])).rejects.toMatchObject({
      code: 'poisoned_input',
      message: 'text 1 ended the inference thread 2 times and is not tried again',
    })
    await expectIdle()
  })

  test('answers the requests beside it', async () => {
    // Long enough that the others come while it runs, and share its batches.
    const long = Array.from({ length: 40 }, (_, index) => `${index} bottles of milk `.repeat(8))
    const short = ['bread and butter', 'an old lighthouse', 'seven bridges']
    const first = embed(mortal, long)
    while (stats()?.runningBatches === 0) await settle()
    const poisoned = embed(mortal, [word])
    const last = embed(mortal, short)
    await Promise.all([
      expectRight(first, long),
      expect(poisoned).rejects.toMatchObject({ code: 'poisoned_input' }),
      expectRight(last, short),
    ])
    await expectIdle()
  })

  test('answers later requests, long and short', async () => {
    const texts = Array.from(
      { length: 90 },
      (_, index) => `text number ${index} ${'and more '.repeat(index % 7)}`,
    )
    await expectRight(embed(mortal, texts), texts)
    await expectRight(embed(mortal, ['hello']), ['hello'])
    await expectIdle()
  })
})

test('two poisoned texts in two requests fail both, and nothing else', async () => {
  const texts = Array.from({ length: 20 }, (_, index) => `harmless sentence ${index}`)
  const answer = embed(mortal, texts)
  const results = await Promise.allSettled([
    embed(mortal, ['one volcano']),
    embed(mortal, ['x', 'one glacier']),
  ])
  expect(results).toMatchObject([
    { reason: { code: 'poisoned_input', message: expect.stringContaining('text 0 ') } },
    { reason: { code: 'poisoned_input', message: expect.stringContaining('text 1 ') } },
  ])
  await expectRight(answer, texts)
  await expectIdle()
})

test('a request cancelled while it ends the thread is not tried again', async () => {
  const controller = new AbortController()
  const { signal } = controller
  const cancelled = mortal.engine.embed({ kind: 'embed', model: undefined, texts: ['volcano'] }, { signal })
  const ended = expect(cancelled).rejects.toMatchObject({ code: 'cancelled' })
  while (stats()?.runningBatches === 0) await settle()
  const answer = embed(mortal, ['unharmed'])
  controller.abort()
  await ended
  await expectRight(answer, ['unharmed'])
  await expectIdle()
})
