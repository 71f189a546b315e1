import { expect, test } from 'vitest'
import { flagsHelp, readFlags } from '../../../../tools/gateway/flags.ts'
import { FAULT_KINDS } from '../../../../tools/gateway/faults.ts'

test('without flags there are no faults and no workers', () => {
  expect(readFlags([])).toMatchObject({
    port: 8080,
    host: '127.0.0.1',
    endpointId: 'local',
    strict: true,
    worker: undefined,
    apiKey: undefined,
    seed: 1,
    pingIntervalMs: 10_000,
  })
  expect(Object.values(readFlags([]).faults).every((rate) => rate === 0)).toBe(true)
})

test('flags are read, seconds as milliseconds', () => {
  const argv =
    '--port 0 --no-strict --worker run --workers 3 --kill-every 2.5 --freeze 6 --drop-after 0.25 --seed 9'
  expect(readFlags(argv.split(' '))).toMatchObject({
    port: 0,
    strict: false,
    worker: 'run',
    workerCount: 3,
    killEveryMs: 2500,
    freezeMs: 6000,
    seed: 9,
    faults: { 'drop-after': 0.25, 'drop-before': 0 },
  })
})

test.each([
  [['--port', 'http'], '--port is "http"; it must be a number, 0 or more'],
  [['--hang='], '--hang is ""; it must be a number, 0 or more'],
  [['--drop-after', 'often'], '--drop-after is "often"; it must be a number, 0 or more'],
  [['--faults', '1'], "Unknown option '--faults'"],
])('%j is refused', (argv, message) => {
  expect(() => readFlags(argv)).toThrow(message)
})

test('the help names every fault', () => {
  for (const kind of FAULT_KINDS) expect(flagsHelp()).toContain(`--${kind} <p>`)
})
