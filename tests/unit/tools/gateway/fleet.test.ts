import { beforeEach, expect, test, vi } from 'vitest'
import { Fleet } from '../../../../tools/gateway/fleet.ts'

const TIMEOUT = 3000

let nowMs: number
const requeue = vi.fn<(workerId: string, jobIds?: readonly string[]) => void>()
const onUnlisted = vi.fn<(workerId: string, jobId: string) => void>()
let fleet: Fleet
beforeEach(() => {
  vi.clearAllMocks()
  nowMs = 0
  fleet = new Fleet({ pingTimeoutMs: TIMEOUT, now: () => nowMs, requeue, onUnlisted })
})

test('a silent worker loses its jobs, once', () => {
  fleet.pinged('w', [])
  fleet.handedOut('w', 'j')
  nowMs = TIMEOUT
  fleet.sweep()
  expect(requeue).not.toHaveBeenCalled()
  nowMs = TIMEOUT + 1
  fleet.sweep()
  fleet.sweep()
  expect(requeue.mock.calls).toEqual([['w']])
})

test('a worker that pings keeps the jobs that it lists', () => {
  fleet.handedOut('w', 'j')
  for (nowMs = 0; nowMs < 10 * TIMEOUT; nowMs += 1000) {
    fleet.pinged('w', ['j'])
    fleet.sweep()
  }
  expect(requeue).not.toHaveBeenCalled()
})

test('a job that a living worker does not list is taken away, it alone', () => {
  fleet.handedOut('w', 'listed')
  fleet.handedOut('w', 'unlisted')
  nowMs = TIMEOUT
  fleet.pinged('w', ['listed'])
  expect(requeue).not.toHaveBeenCalled()
  nowMs = TIMEOUT + 1
  fleet.pinged('w', ['listed'])
  expect(requeue.mock.calls).toEqual([['w', ['unlisted']]])
  expect(onUnlisted.mock.calls).toEqual([['w', 'unlisted']])
})

test('a job is missed only from the arrival of its answer on', () => {
  fleet.handedOut('w', 'j')
  nowMs = 2000
  fleet.arrived('w', 'j')
  nowMs = TIMEOUT + 1
  fleet.pinged('w', [])
  expect(requeue).not.toHaveBeenCalled()
})

test('a ping that was listed lately excuses one that came without', () => {
  fleet.handedOut('w', 'j')
  nowMs = 2000
  fleet.pinged('w', ['j'])
  nowMs = 4000
  fleet.pinged('w', [])
  expect(requeue).not.toHaveBeenCalled()
})

test('a job that has ended is not missed', () => {
  fleet.handedOut('w', 'j')
  fleet.released('j')
  nowMs = TIMEOUT + 1
  fleet.pinged('w', [])
  expect(requeue).not.toHaveBeenCalled()
})

test('a worker that never pings is never missed', () => {
  fleet.handedOut('w', 'j')
  nowMs = 100 * TIMEOUT
  fleet.sweep()
  expect(requeue).not.toHaveBeenCalled()
  expect(fleet.hasPinged('w')).toBe(false)
})

test('jobs of a process that ended go back at once', () => {
  fleet.handedOut('w', 'j')
  fleet.died('w')
  expect(requeue.mock.calls).toEqual([['w']])
  expect(fleet.isDead('w')).toBe(true)
})

test('a silent worker that is given another job loses that one too', () => {
  fleet.pinged('w', [])
  fleet.handedOut('w', 'j1')
  nowMs = TIMEOUT + 1
  fleet.sweep()
  fleet.handedOut('w', 'j2')
  fleet.sweep()
  expect(requeue.mock.calls).toEqual([['w'], ['w']])
})

test('workers are counted by what they do', () => {
  fleet.seen('idle')
  fleet.pinged('busy', [])
  fleet.pinged('silent', [])
  fleet.handedOut('busy', 'j')
  nowMs = TIMEOUT + 1
  fleet.pinged('busy', ['j'])
  expect(fleet.counts()).toEqual({ idle: 1, running: 1, unhealthy: 1 })
  nowMs = 200_000
  fleet.sweep()
  fleet.sweep()
  expect(fleet.counts()).toEqual({ idle: 0, running: 0, unhealthy: 0 })
})
