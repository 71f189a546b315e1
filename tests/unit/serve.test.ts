import { expect, test, vi } from 'vitest'
import { loadConfig } from '../../src/config.ts'
import { serve } from '../../src/serve.ts'
import type { RunningService, StartOptions } from '../../src/start.ts'
import { Threads } from '../../src/threads.ts'
import { fixturePath } from './model/model-folder.ts'

/** What was asked of the service, which is a real one. */
const asked: string[] = []

/** Waited for by starts, once each. */
let stuck: Promise<void> | undefined

vi.mock(import('../../src/start.ts'), async (importOriginal) => {
  const { startService, ...others } = await importOriginal()
  const startWatched = async (options: StartOptions): Promise<RunningService> => {
    await stuck
    const service = await startService(options)
    const { engine } = service
    const drain = () => {
      asked.push('drain')
      engine.drain()
    }
    const close = async () => {
      asked.push('close')
      await service.close()
    }
    return { ...service, engine: { ...engine, drain }, close }
  }
  return { ...others, startService: startWatched }
})

test('told to stop, it has the engine finish what is nearly done before it closes it', async () => {
  const MODEL_NAMES = `one=${fixturePath('bert-mean-normalize')}`
  const config = loadConfig({ MODEL_NAMES, EXECUTION_PROVIDER: 'cpu', PORT: '0' }, [])
  const stop = new AbortController()
  const ready = Promise.withResolvers<void>()
  const log = (_: string, { event }: { readonly event: string }) => {
    if (event === 'ready') ready.resolve()
  }
  const serving = serve({ config, log, threads: new Threads(), version: '0.0.0', stop: stop.signal })
  await Promise.race([ready.promise, serving])
  expect(asked).toEqual([])
  stop.abort()
  expect(await serving).toBe(0)
  expect(asked).toEqual(['drain', 'close'])
})

test('a start that hangs is killed after the grace period, once it is told to stop', async () => {
  const MODEL_NAMES = `one=${fixturePath('bert-mean-normalize')}`
  const settings = { MODEL_NAMES, EXECUTION_PROVIDER: 'cpu', PORT: '0', SHUTDOWN_GRACE_SECONDS: '0' }
  const config = loadConfig(settings, [])
  const stop = new AbortController()
  const [killed, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  stuck = released.promise
  const errors: string[] = []
  const log = (_: string, entry: { readonly event: string; readonly error?: string }) => {
    if (entry.event === 'start_failed') errors.push(entry.error ?? '')
  }
  const options = { config, log, threads: new Threads(), version: '0.0.0', stop: stop.signal }
  const serving = serve({ ...options, kill: killed.resolve })
  stop.abort()
  await killed.promise
  expect(errors).toEqual(['told to stop, the start did not end in 0 seconds: the process is killed'])
  stuck = undefined
  released.resolve()
  expect(await serving).toBe(0)
})
