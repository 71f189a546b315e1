import { afterEach, expect, test } from 'vitest'
import { loadConfig } from '../../src/config.ts'
import type { RunningService } from '../../src/start.ts'
import { startService } from '../../src/start.ts'

const opened: RunningService[] = []

/** The bundled model. */
async function start(env: Record<string, string>, onReuse?: (...facts: readonly unknown[]) => void) {
  const service = await startService({ config: loadConfig(env, []), log: () => {}, onReuse })
  opened.push(service)
  return service
}

afterEach(async () => {
  for (const service of opened.splice(0)) await service.close()
})

const EMBED = { kind: 'embed', model: undefined, texts: ['hello world'] } as const
const DECODE = { kind: 'decode', model: undefined, vocabulary: 'client', skipSpecialTokens: true } as const

test('CACHE_MB keeps results, and reuse is told', async () => {
  const told: unknown[] = []
  const { engine } = await start({ CACHE_MB: '1' }, (...facts) => told.push(facts))
  const first = await engine.embed(EMBED)
  const again = await engine.embed(EMBED)
  expect(again.vectors).toEqual(first.vectors)
  expect(told).toEqual([['all-MiniLM-L6-v2-int8', 1, 'cache']])
  expect(engine.cacheStats()?.entries).toBe(1)
  // A megabyte holds a few hundred vectors of 384 numbers: older ones made room.
  await engine.embed({ ...EMBED, texts: Array.from({ length: 600 }, (_, n) => `${n}`) })
  expect(engine.cacheStats()?.bytes).toBeLessThanOrEqual(1_000_000)
  expect(engine.cacheStats()?.bytes).toBeGreaterThan(990_000)
})

test('without CACHE_MB nothing is kept', async () => {
  const told: unknown[] = []
  const { engine } = await start({}, (...facts) => told.push(facts))
  await engine.embed(EMBED)
  await engine.embed(EMBED)
  expect(engine.cacheStats()).toBeUndefined()
  expect(told).toEqual([])
})

test.each([
  ['cl100k', [15_339, 1917], 'hello world'],
  ['native', [7592, 2088], 'hello world'],
])('TOKEN_INPUT=%s reads %j as such', async (TOKEN_INPUT, ids, text) => {
  const { engine } = await start({ TOKEN_INPUT })
  expect(await engine.decode({ ...DECODE, ids: [ids] })).toEqual({ texts: [text] })
})

test('closed, it has no thread left that would read integers', async () => {
  const { engine, close } = await start({})
  await engine.decode({ ...DECODE, ids: [[15_339]] })
  await close()
  await expect(engine.decode({ ...DECODE, ids: [[15_339]] })).rejects.toMatchObject({ code: 'stopping' })
})

test('TOKEN_INPUT=reject refuses integers', async () => {
  const { engine } = await start({ TOKEN_INPUT: 'reject' })
  await expect(engine.decode({ ...DECODE, ids: [[7592]] })).rejects.toMatchObject({
    message: 'TOKEN_INPUT=reject: integer inputs are refused; send text',
  })
})
