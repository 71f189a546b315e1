import { expect, test } from 'vitest'
import type { LogEvent } from '../../../src/base/log.ts'
import type { Progress } from '../../../src/model/fetch-progress.ts'
import { FetchProgress } from '../../../src/model/fetch-progress.ts'
import { eventsOf } from './fetching.ts'

function openProgress({ initTimeoutMs }: { initTimeoutMs?: number } = {}) {
  const clock = { ms: 1000 }
  const events: LogEvent[] = []
  const reports: Progress[] = []
  const progress = new FetchProgress({
    model: 'm',
    log: (_, event) => events.push(event),
    onProgress: (report) => reports.push(report),
    initTimeoutMs,
    now: () => clock.ms,
  })
  const report = (atMs: number, path: string, bytes: number) => {
    clock.ms = atMs
    progress.report(path, bytes)
  }
  return { clock, events, reports, progress, report }
}

test('the log hears of progress every five seconds at most', () => {
  const { events, progress, report } = openProgress()
  progress.start(2000)
  for (let ms = 1000; ms <= 12_000; ms += 100) report(ms, 'a', ms / 10)
  expect(eventsOf(events, 'model_fetch_progress')).toEqual([
    { event: 'model_fetch_progress', model: 'm', doneBytes: 600, totalBytes: 2000, percent: 30 },
    { event: 'model_fetch_progress', model: 'm', doneBytes: 1100, totalBytes: 2000, percent: 55 },
  ])
})

test('a bar hears of it ten times a second at most, and of the end', () => {
  const { clock, reports, progress, report } = openProgress()
  progress.start(100)
  for (let ms = 1010; ms <= 1210; ms += 10) report(ms, 'a', ms - 1010)
  clock.ms = 1211
  report(1211, 'a', 100)
  progress.end()
  expect(reports.map(({ doneBytes }) => doneBytes)).toEqual([0, 90, 190, 100])
})

test('bytes of several files are added up, and a file that begins again is counted once', () => {
  const { reports, progress, report } = openProgress()
  progress.start(100)
  report(1000, 'a', 40)
  report(1000, 'b', 50)
  report(1000, 'a', 10)
  progress.end()
  expect(reports.at(-1)).toEqual({ model: 'm', doneBytes: 60, totalBytes: 100 })
})

test('the end tells how long it took', () => {
  const { clock, progress } = openProgress()
  progress.start(1)
  clock.ms = 3500
  expect(progress.end()).toBe(2500)
})

test('a fetch that will end near the time limit is warned of once, with a limit that would do', () => {
  const { events, progress, report } = openProgress({ initTimeoutMs: 100_000 })
  progress.start(1000)
  report(1000, 'a', 0)
  // ten bytes a second: another 95 seconds
  report(6000, 'a', 50)
  report(11_000, 'a', 100)
  expect(eventsOf(events, 'fetch_near_init_timeout')).toEqual([
    {
      event: 'fetch_near_init_timeout',
      model: 'm',
      finishMs: 101_000,
      initTimeoutMs: 100_000,
      advice: expect.stringContaining('RUNPOD_INIT_TIMEOUT=180 (seconds)') as string,
    },
  ])
})

test('a fetch that will end in time is not warned of', () => {
  const { events, progress, report } = openProgress({ initTimeoutMs: 127_000 })
  progress.start(1000)
  report(1000, 'a', 0)
  report(6000, 'a', 50)
  expect(eventsOf(events, 'fetch_near_init_timeout')).toEqual([])
})

test('what an earlier attempt has left does not count as speed', () => {
  const { events, progress, report } = openProgress({ initTimeoutMs: 100_000 })
  progress.start(1000)
  report(1000, 'a', 500)
  report(6000, 'a', 510)
  expect(eventsOf(events, 'fetch_near_init_timeout')).toMatchObject([{ finishMs: 251_000 }])
})

test('a fetch that gets nowhere is warned of when most of the time is over', () => {
  const { events, progress, report } = openProgress({ initTimeoutMs: 100_000 })
  progress.start(1000)
  report(79_000, 'a', 0)
  expect(eventsOf(events, 'fetch_near_init_timeout')).toEqual([])
  report(84_000, 'a', 0)
  expect(eventsOf(events, 'fetch_near_init_timeout')).toMatchObject([{ finishMs: 84_000 }])
})

test('without a limit nothing is warned of', () => {
  const { events, progress, report } = openProgress()
  progress.start(1000)
  report(900_000, 'a', 0)
  expect(eventsOf(events, 'fetch_near_init_timeout')).toEqual([])
})
