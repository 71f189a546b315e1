import { afterEach, expect, test, vi } from 'vitest'
import { WorkerProcesses } from '../../../../tools/gateway/worker-process.ts'

const lines: string[] = []
const deaths: string[] = []
let workers: WorkerProcesses | undefined
afterEach(async () => {
  await workers?.close()
  lines.length = 0
  deaths.length = 0
})

function start(command: string, count = 1): WorkerProcesses {
  workers = new WorkerProcesses({
    command,
    count,
    env: (workerId) => ({ PATH: process.env['PATH'], WORKER: workerId }),
    onDeath: (workerId) => deaths.push(workerId),
    onFreeze: (workerId) => lines.push(`frozen ${workerId}`),
    onThaw: (workerId) => lines.push(`thawed ${workerId}`),
    onLine: (workerId, line) => lines.push(`${workerId} ${line}`),
  })
  workers.start()
  return workers
}

/** Says its id, and something every 20 ms. */
const TALKER = 'echo "I am $WORKER"; while true; do echo tick; sleep 0.02; done'

async function seen(line: string): Promise<void> {
  await vi.waitFor(() => expect(lines).toContain(line), 5000)
}

test('each process has an id of its own, and so has each that takes its place', async () => {
  const running = start(TALKER, 2)
  await seen('worker-1-1 I am worker-1-1')
  await seen('worker-2-1 I am worker-2-1')
  expect(running.kill()).toBe('worker-1-1')
  await seen('worker-1-2 I am worker-1-2')
  expect(deaths).toEqual(['worker-1-1'])
  expect(running.workerIds).toEqual(['worker-1-2', 'worker-2-1'])
})

test('one that ends by itself is started again', async () => {
  start('echo hello')
  await seen('worker-1-2 hello')
  expect(deaths[0]).toBe('worker-1-1')
})

test('a frozen process is silent until it is thawed, and is not the next to be killed', async () => {
  const running = start(TALKER, 2)
  await seen('worker-1-1 I am worker-1-1')
  await seen('worker-2-1 I am worker-2-1')
  expect(running.freeze(1000)).toBe('worker-1-1')
  await seen('frozen worker-1-1')
  // What was written before it stopped may still be on its way.
  await vi.waitFor(() => expect(lines.slice(-5).every((line) => line.startsWith('worker-2-1'))).toBe(true))
  expect(running.kill()).toBe('worker-2-1')
  await seen('worker-2-2 I am worker-2-2')
  expect(running.kill()).toBe('worker-2-2')
  await seen('thawed worker-1-1')
  const thawedAt = lines.indexOf('thawed worker-1-1')
  await vi.waitFor(() => expect(lines.slice(thawedAt)).toContain('worker-1-1 tick'))
  expect(deaths).not.toContain('worker-1-1')
})

test('a recycled process is asked to end, once', async () => {
  // Ends some time after it was asked last.
  const running = start(
    `n=0; trap 'echo asked; n=1' TERM; echo ready; while [ $n -lt 15 ]; do sleep 0.02; [ $n -eq 0 ] || n=$((n+1)); done`,
  )
  await seen('worker-1-1 ready')
  running.recycle('worker-1-1')
  await seen('worker-1-1 asked')
  running.recycle('worker-1-1')
  running.recycle('nobody')
  await seen('worker-1-2 ready')
  expect(lines.filter((line) => line === 'worker-1-1 asked')).toHaveLength(1)
})

test('closing ends them all, and none is started again', async () => {
  const running = start(TALKER, 2)
  await seen('worker-2-1 I am worker-2-1')
  await running.close()
  expect(running.workerIds).toEqual([])
  expect(deaths.toSorted()).toEqual(['worker-1-1', 'worker-2-1'])
})
