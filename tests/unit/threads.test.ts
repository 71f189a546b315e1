import { afterEach, expect, test, vi } from 'vitest'
import { Threads } from '../../src/threads.ts'

afterEach(() => vi.unstubAllEnvs())

test("ONNX Runtime's telemetry is off before the first thread can load it", async () => {
  vi.stubEnv('ORT_DISABLE_TELEMETRY', undefined)
  const threads = new Threads()
  expect(process.env['ORT_DISABLE_TELEMETRY']).toBe('1')
  await threads.close()
})
