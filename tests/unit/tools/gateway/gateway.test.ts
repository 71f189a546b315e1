/** The gateway with worker processes of its own. */
import { expect, test, vi } from 'vitest'
import { openEmulated } from './emulated.ts'

function withWorkers(command: string, onLine?: (workerId: string, line: string) => void) {
  const workers = { command, count: 1, env: { PATH: process.env['PATH'], MODEL_NAMES: 'm' }, onLine }
  return openEmulated({ workers })
}

test('a worker process is told what RunPod tells, in templates, and inherits the rest', async () => {
  const lines: string[] = []
  await using gateway = await withWorkers('env; exec sleep 60', (_, line) => lines.push(line))
  const base = `${gateway.url}/v2/local`
  await vi.waitFor(() => expect(lines).toContain('MODEL_NAMES=m'))
  const told = new Map(lines.map((line) => [line.split('=', 1)[0] ?? '', line.slice(line.indexOf('=') + 1)]))
  expect(Object.fromEntries(told)).toMatchObject({
    RUNPOD_WEBHOOK_GET_JOB: `${base}/job-take/$ID?gpu=none`,
    RUNPOD_WEBHOOK_POST_OUTPUT: `${base}/job-done/$RUNPOD_POD_ID/$ID?gpu=none`,
    RUNPOD_WEBHOOK_PING: `${base}/ping/$RUNPOD_POD_ID`,
    RUNPOD_PING_INTERVAL: '10000',
    RUNPOD_AI_API_KEY: 'worker-key',
    RUNPOD_POD_ID: 'worker-1-1',
    RUNPOD_ENDPOINT_ID: 'local',
  })
})

test('jobs of a worker that was killed go to another at once', async () => {
  await using gateway = await withWorkers('exec sleep 60')
  const id = await gateway.submit()
  await gateway.take('worker-1-1')
  expect(gateway.workers?.kill()).toBe('worker-1-1')
  await vi.waitFor(async () =>
    expect(await gateway.status(id)).toMatchObject({ status: 'IN_QUEUE', retries: 1 }),
  )
  expect(await gateway.take('worker-1-2')).toMatchObject({ id })
})

test('a dead worker is given no job, even if its poll is still open', async () => {
  await using gateway = await withWorkers('exec sleep 60')
  gateway.workers?.kill()
  await vi.waitFor(() => expect(gateway.workers?.workerIds).toEqual(['worker-1-2']))
  const id = await gateway.submit()
  expect((await gateway.asWorker('job-take/worker-1-1')).status).toBe(204)
  expect(await gateway.take('worker-1-2')).toMatchObject({ id })
})

test('a worker that sends stopPod is replaced after its job', async () => {
  await using gateway = await withWorkers('exec sleep 60')
  const id = await gateway.submit()
  await gateway.take('worker-1-1')
  await gateway.post(id, { output: 1, stopPod: true }, 'worker-1-1')
  await vi.waitFor(() => expect(gateway.workers?.workerIds).toEqual(['worker-1-2']))
  expect(await gateway.status(id)).toMatchObject({ status: 'COMPLETED', output: 1 })
})

test('a port in use is told, and leaves nothing running', async () => {
  await using gateway = await openEmulated()
  const port = Number(new URL(gateway.url).port)
  const timersBefore = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  await expect(openEmulated({ port })).rejects.toThrow('EADDRINUSE')
  expect(process.getActiveResourcesInfo().filter((name) => name === 'Timeout')).toHaveLength(timersBefore)
})
