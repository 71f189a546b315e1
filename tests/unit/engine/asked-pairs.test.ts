/** Models that are asked about a pair, between request and tokenizer. */
import { expect, test } from 'vitest'
import type { ModelSpec, PairPrompt } from '../../../src/model/spec.ts'
import { engineOf, fakeModel } from '../../fakes/model.ts'
import { tokenizerOf } from '../../../src/model/spec.ts'

const ANY = { model: undefined }
const PROMPT: PairPrompt = { kind: 'pieces', pieces: [], instructionForm: '', instruction: 'own' }

function modelOf(pairPrompt: PairPrompt | undefined, prompts: ModelSpec['prompts'] = {}) {
  const model = fakeModel({ labels: ['LABEL_0'], joinsPairs: true, spec: { prompts } })
  const tokenizer = { ...tokenizerOf(model.spec), ...(pairPrompt && { pairPrompt }) }
  return { ...model, spec: { ...model.spec, tokenizer } }
}

async function rerank(model: ReturnType<typeof modelOf>, more: object) {
  const result = await engineOf([model]).rerank({
    kind: 'rerank',
    ...ANY,
    query: 'q',
    documents: ['a', 'b'],
    ...more,
  })
  const calls = model.tokenizer.calls.map(({ kind, texts, options }) => ({
    kind,
    texts,
    instruction: options.instruction,
  }))
  return { calls, result }
}

test('an instruction is told to the model, in the words of the client', async () => {
  const { calls } = await rerank(modelOf(PROMPT), { instruction: 'Judge' })
  expect(calls).toEqual([{ kind: 'pairs', texts: ['a', 'b'], instruction: 'Judge' }])
})

test('without one, the model has its own', async () => {
  const { calls } = await rerank(modelOf(PROMPT), {})
  expect(calls).toEqual([{ kind: 'pairs', texts: ['a', 'b'], instruction: undefined }])
})

test('a prompt that is chosen by its name, or written, is an instruction', async () => {
  const model = modelOf(PROMPT, { query: 'Find it' })
  const { calls } = await rerank(model, { prompt: { name: 'query', ifUnknown: 'refuse' } })
  expect(calls[0]?.instruction).toBe('Find it')
  const written = await rerank(modelOf(PROMPT), { prompt: { text: 'Own words' } })
  expect(written.calls[0]?.instruction).toBe('Own words')
  const unknown = await rerank(modelOf(PROMPT), { prompt: { name: 'clustering', ifUnknown: 'ignore' } })
  expect([unknown.calls[0]?.instruction, unknown.result.ignoredPrompt]).toEqual([undefined, 'clustering'])
})

test.each([
  ['Judge', 'Judge q'],
  ['Judge:\n', 'Judge:\nq'],
])('before any other model, %j stands before the query', async (instruction, query) => {
  const { calls } = await rerank(modelOf(undefined), { instruction })
  expect(calls).toEqual([
    { kind: 'query', texts: [query], instruction: undefined },
    { kind: 'pairs', texts: ['a', 'b'], instruction: undefined },
  ])
})

test('few documents are read at a time where what is told with each of them is long', async () => {
  const documents = Array.from({ length: 20 }, (_, n) => `${n}`)
  const instruction = 'x'.repeat(60_000)
  const counts = async (model: ReturnType<typeof modelOf>, more: object) =>
    (await rerank(model, { documents, ...more })).calls.map(({ texts }) => texts.length)
  expect(await counts(modelOf(PROMPT), { instruction })).toEqual([4, 4, 4, 4, 4])
  expect(await counts(modelOf({ ...PROMPT, instruction }), {})).toEqual([4, 4, 4, 4, 4])
  expect(await counts(modelOf(PROMPT), {})).toEqual([20])
})

test('few pairs to classify are read at a time likewise', async () => {
  const texts = Array.from({ length: 20 }, (_, n) => `${n}`)
  const model = modelOf({ ...PROMPT, instruction: 'x'.repeat(60_000) })
  await engineOf([model]).classify({ kind: 'classify', ...ANY, texts, pairs: texts })
  expect(model.tokenizer.calls.map((call) => call.texts.length)).toEqual([4, 4, 4, 4, 4])
})

test('an instruction is as long as a prompt may be', async () => {
  await expect(rerank(modelOf(PROMPT), { instruction: 'x'.repeat(65_537) })).rejects.toMatchObject({
    code: 'invalid_request',
    message: expect.stringContaining('65537 characters'),
  })
})

test('a text alone cannot be asked about', async () => {
  const engine = engineOf([modelOf(PROMPT)])
  await expect(engine.classify({ kind: 'classify', ...ANY, texts: ['a'] })).rejects.toMatchObject({
    code: 'invalid_request',
    message: expect.stringContaining('judges pairs of texts'),
  })
  const { labels } = await engine.classify({ kind: 'classify', ...ANY, texts: ['a'], pairs: ['b'] })
  expect(labels).toEqual(['LABEL_0'])
})
