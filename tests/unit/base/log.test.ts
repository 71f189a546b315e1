import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import type { Log, LogEvent } from '../../../src/base/log.ts'

const LOG_FILE = new URL('../../../src/base/log.ts', import.meta.url)

type Call = readonly [level: Parameters<Log>[0], event: LogEvent]

/** Logs in a process of its own, whose standard error the lines go to; a log for each level given. */
function logLines(
  levels: readonly string[],
  calls: readonly Call[],
): { lines: Record<string, unknown>[]; stdout: string } {
  const program = `
    import { openLog } from ${JSON.stringify(LOG_FILE)}
    for (const level of ${JSON.stringify(levels)}) {
      const log = openLog(level)
      for (const call of ${JSON.stringify(calls)}) log(...call)
    }
    process.exit()`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    encoding: 'utf8',
  })
  expect(stderr.endsWith('\n')).toBe(true)
  return { lines: stderr.trimEnd().split('\n').map(parse), stdout }
}

function parse(line: string): Record<string, unknown> {
  return JSON.parse(line) as Record<string, unknown>
}

test('an event is one JSON line on standard error, written before the process can end', () => {
  const before = Date.now()
  const { lines, stdout } = logLines(
    ['debug'],
    [
      ['info', { event: 'ready', models: ['small', 'line\nbreak'] }],
      ['warn', { event: 'port_taken', address: '0.0.0.0:80', reason: 'EADDRINUSE' }],
      ['error', { event: 'job_malformed', reason: 'no id' }],
      ['debug', { event: 'stopped', reason: 'SIGTERM' }],
    ],
  )
  expect(lines).toEqual([
    { level: 'INFO', time: expect.any(Number), models: ['small', 'line\nbreak'], message: 'ready' },
    {
      level: 'WARN',
      time: expect.any(Number),
      address: '0.0.0.0:80',
      reason: 'EADDRINUSE',
      message: 'port_taken',
    },
    { level: 'ERROR', time: expect.any(Number), reason: 'no id', message: 'job_malformed' },
    { level: 'DEBUG', time: expect.any(Number), reason: 'SIGTERM', message: 'stopped' },
  ])
  expect(stdout).toBe('')
  expect(lines[0]?.['time']).toBeGreaterThanOrEqual(before)
})

test('a job’s id is its requestId, which the console groups by', () => {
  const { lines } = logLines(
    ['info'],
    [['info', { event: 'job_done', jobId: 'j-1', ms: 5, bytes: 20, outcome: 'completed' }]],
  )
  expect(lines).toEqual([
    {
      level: 'INFO',
      time: expect.any(Number),
      requestId: 'j-1',
      ms: 5,
      bytes: 20,
      outcome: 'completed',
      message: 'job_done',
    },
  ])
})

test('what is below the level asked for is not written', () => {
  const levels = ['debug', 'info', 'warn', 'error'] as const
  const { lines } = logLines(
    levels,
    levels.map((level) => [level, { event: 'stopped', reason: 'SIGTERM' }]),
  )
  expect(lines.map((line) => line['level']).join(' ')).toBe(
    'DEBUG INFO WARN ERROR INFO WARN ERROR WARN ERROR ERROR',
  )
})
