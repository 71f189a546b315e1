/** A rerank by a model that compares texts token by token. */
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { MaxSim } from '../../../src/engine/max-sim.ts'
import { serveModel } from '../../../src/engine/served-model.ts'
import { rerank } from '../../../src/engine/tasks/rerank.ts'
import type { RerankTask } from '../../../src/task.ts'
import { comparer } from '../../fakes/comparer.ts'
import { engineOf, fakeModel } from '../../fakes/model.ts'
import { settle } from '../../fakes/runner.ts'

const ANY = { model: undefined } as const

describe('reranking', () => {
  const ask = (fields: Partial<RerankTask>, model = comparer()) =>
    engineOf([model]).rerank({ kind: 'rerank', ...ANY, query: 'ab', documents: ['c', 'a.', '.'], ...fields })

  test('sums, over the tokens of the query, the greatest product with any of the document that counts', async () => {
    const { scores, logits, promptTokens } = await ask({})
    // 1·3 + 1 and 2·3 + 1; 1·1 + 1 and 2·1 + 1; nothing is left of a full stop
    expect([...scores]).toEqual([11, 5, -1e9])
    expect(logits).toEqual(scores)
    expect(promptTokens).toBe(2 + 4)
  })

  test('takes the mean where the model says so', async () => {
    const { scores } = await ask({ documents: ['c'] }, comparer({ similarity: 'mean' }))
    expect([...scores]).toEqual([5.5])
  })

  test('reads the query once, as a query, and the documents as documents', async () => {
    const model = comparer({}, { spec: { prompts: { query: 'Q', document: 'D' } } })
    await ask({ documents: ['c', 'd'] }, model)
    expect(model.tokenizer.calls).toMatchObject([
      { texts: ['ab'], prompt: { text: 'Q' }, options: { noun: 'query', fill: { id: 7 }, maxTokens: 32 } },
      { texts: ['c', 'd'], prompt: { text: 'D' }, options: { noun: 'document', maxTokens: 300 } },
    ])
  })

  test('puts an instruction between what marks a query and the query; a prompt takes the place of both', async () => {
    const promptOf = async (fields: Partial<RerankTask>) => {
      const model = comparer({}, { spec: { prompts: { query: 'Q ', document: '' } } })
      await ask(fields, model)
      return model.tokenizer.calls[0]?.prompt?.text
    }
    expect(await promptOf({ instruction: 'Judge:' })).toBe('Q Judge: ')
    expect(await promptOf({ prompt: { text: 'Other: ' } })).toBe('Other: ')
    expect(await promptOf({})).toBe('Q ')
  })

  test('tells the tokenizer how much of each a client wants', async () => {
    const model = comparer()
    await ask({ maxQueryTokens: 4, maxDocumentTokens: 9, maxTokens: 20 }, model)
    expect(model.tokenizer.calls.map(({ options }) => [options.side, options.clientMaxTokens])).toEqual([
      [{ name: 'query', maxTokens: 4 }, 20],
      [{ name: 'document', maxTokens: 9 }, 20],
    ])
  })

  test('compares each document with its own query, where each has one', async () => {
    const { scores } = await ask({ query: ['a', 'b', 'c'], documents: ['c', 'b', 'a'] })
    expect([...scores]).toEqual([4, 5, 4])
    await expect(ask({ query: ['a', 'b'], documents: ['c'] })).rejects.toMatchObject({
      code: 'invalid_request',
    })
  })

  test('of many documents reads no more than may be on their way', async () => {
    const limits = { outputWidth: 2, tokenWidth: 4096, vectorWidth: 4096 }
    const computeToken = () => Array<number>(4096).fill(0)
    const model = comparer({}, { limits, computeToken, automatic: false })
    const controller = new AbortController()
    // 300 documents of 32 tokens: 39 million numbers, where 17 may be on their way
    const documents = Array.from({ length: 300 }, (_, n) => String.fromCodePoint(200 + n).repeat(32))
    const task = { kind: 'rerank', ...ANY, query: 'a', documents } as const
    const reranking = engineOf([model]).rerank(task, { signal: controller.signal })
    const ended = expect(reranking).rejects.toMatchObject({ code: 'cancelled' })
    await settle()
    model.runner.finish()
    for (let turn = 0; turn < 20; turn++) await settle()
    const read = model.tokenizer.calls.filter(({ options }) => options.noun === 'document')
    // Portions of 64 until the limit is passed.
    expect(read.map(({ texts }) => texts.length)).toEqual([64, 64, 64])
    controller.abort()
    await ended
  })

  test('gives every score in its place, whatever batches the documents were in', async () => {
    const documents = Array.from({ length: 150 }, (_, n) => String.fromCodePoint(97 + (n % 26)))
    const { scores } = await ask({ query: 'a', documents }, comparer({}, { batchSize: 7 }))
    expect([...scores]).toEqual(documents.map((_, n) => (n % 26) + 2))
  })

  test('that allows no truncation reads every document before the first one runs', async () => {
    const model = comparer()
    const documents = Array.from({ length: 130 }, (_, n) => String.fromCodePoint(200 + n))
    await ask({ truncate: 'none', documents }, model)
    const read = model.tokenizer.calls.map(({ texts }) => texts.length)
    expect(read).toEqual([1, 64, 64, 2, 64, 64, 2])
  })

  test('that allows no truncation reads them only once there is room for them', async () => {
    const model = comparer()
    const engine = engineOf([model], { queueSize: 2 })
    const documents = ['a', 'b', 'c']
    const asked = engine.rerank({ kind: 'rerank', ...ANY, query: 'ab', documents, truncate: 'none' })
    await expect(asked).rejects.toMatchObject({ code: 'request_too_large' })
    expect(model.tokenizer.calls.map(({ texts }) => texts)).toEqual([['ab']])
  })

  test('that fails goes on scoring nothing, and leaves nothing in the queue', async () => {
    const scored = vi.spyOn(MaxSim.prototype, 'score')
    onTestFinished(() => scored.mockRestore())
    const model = comparer({}, { automatic: false, batchSize: 1 })
    const { runner } = model
    const engine = engineOf([model])
    const reranking = engine.rerank({ kind: 'rerank', ...ANY, query: 'a', documents: ['b', 'c', 'd'] })
    const failed = expect(reranking).rejects.toMatchObject({ message: 'broken' })
    await settle()
    runner.finish()
    await settle()
    runner.finish()
    // The first document waits for its turn when the second one's batch fails.
    while (runner.heldCount === 0) await Promise.resolve()
    runner.fail(new Error('broken'))
    await failed
    await settle()
    expect(scored).not.toHaveBeenCalled()
    await runner.finishAll()
    const [info] = engine.models()
    expect(info?.stats).toEqual({ queuedItems: 0, heldRequests: 0, waitingTokens: 0, runningBatches: 0 })
    const next = engine.rerank({ kind: 'rerank', ...ANY, query: 'a', documents: ['b'] })
    await runner.finishAll()
    expect([...(await next).scores]).toEqual([3])
  })

  test('gives the documents what the query left of the time', async () => {
    let nowMs = 1000
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => nowMs)
    onTestFinished(() => clock.mockRestore())
    const model = comparer({}, { automatic: false })
    const served = serveModel(model, { queueSize: 10, now: () => nowMs })
    const submit = vi.spyOn(served.lane, 'submit')
    const task = { kind: 'rerank', ...ANY, query: 'a', documents: ['b'] } as const
    const reranking = rerank(served, task, { withinMs: 300 })
    await settle()
    nowMs += 120
    await model.runner.finishAll()
    await reranking
    expect(submit.mock.calls.map(([{ options }]) => options.withinMs)).toEqual([300, 180])
  })

  test('tells of its documents as they are done, and not of its query', async () => {
    const told: (readonly [number, number])[] = []
    const task = { kind: 'rerank', ...ANY, query: 'a', documents: ['b', 'c'] } as const
    await engineOf([comparer()]).rerank(task, { onProgress: (done, of) => told.push([done, of]) })
    expect(told).toEqual([
      [1, 2],
      [2, 2],
    ])
  })

  test('that is given up ends', async () => {
    const controller = new AbortController()
    controller.abort()
    const task = { kind: 'rerank', ...ANY, query: 'a', documents: ['b'] } as const
    await expect(engineOf([comparer()]).rerank(task, { signal: controller.signal })).rejects.toMatchObject({
      code: 'cancelled',
    })
  })

  test('goes to a reranker of pairs, where one is served besides and none is named', async () => {
    const judge = fakeModel({ names: ['judge'], labels: ['LABEL_0'] })
    const engine = engineOf([comparer(), judge])
    const task = { kind: 'rerank', ...ANY, query: 'a', documents: ['b'] } as const
    expect((await engine.rerank(task)).model).toBe('judge')
    expect((await engine.rerank({ ...task, model: 'fake-model' })).model).toBe('fake-model')
  })
})
