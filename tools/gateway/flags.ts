import { parseArgs } from 'node:util'
import type { FaultKind, FaultRates } from './faults.ts'
import { FAULTS, FAULT_KINDS } from './faults.ts'

interface Flag {
  /** As `--help` shows what it takes. */
  readonly value?: string
  readonly fallback?: string
  readonly help: string
}

const FLAGS = {
  port: { value: 'n', fallback: '8080', help: 'port to listen on; 0 takes any free one' },
  host: { value: 'name', fallback: '127.0.0.1', help: 'address to listen on' },
  endpoint: { value: 'id', fallback: 'local', help: 'id of the one endpoint that is served' },
  'api-key': { value: 'key', help: 'key that clients must send; none is asked for without it' },
  'worker-key': { value: 'key', help: 'key that workers must send; none is asked for without it' },
  worker: { value: 'command', help: 'starts worker processes with this command, and again when they end' },
  workers: { value: 'n', fallback: '1', help: 'how many' },
  'kill-every': { value: 's', help: 'kills one of them every so many seconds' },
  freeze: { value: 's', help: 'every other time, stops it for so many seconds instead' },
  'ping-interval': { value: 's', fallback: '10', help: 'seconds between the pings of a worker' },
  'ping-timeout': {
    value: 's',
    help: 'seconds of silence after which jobs go to another worker; 3 intervals',
  },
  hold: { value: 's', fallback: '20', help: 'seconds that job-take and job-stop wait for something to tell' },
  strict: { help: 'loses results that RunPod was seen to lose; it is so unless told --no-strict' },
  seed: { value: 'n', fallback: '1', help: 'another seed, other faults; the same seed, the same ones' },
  'hang-seconds': { value: 's', fallback: '3', help: 'how long an answer hangs' },
  ledger: { value: 'file', help: 'writes all that is known of every job to this file at the end' },
  help: { help: 'prints this' },
} as const satisfies Record<string, Flag>

type FlagName = keyof typeof FLAGS
type Values = Readonly<Partial<Record<FlagName | FaultKind, string | boolean>>>

export interface Flags {
  readonly help: boolean
  readonly port: number
  readonly host: string
  readonly endpointId: string
  readonly apiKey: string | undefined
  readonly workerKey: string | undefined
  readonly worker: string | undefined
  readonly workerCount: number
  readonly killEveryMs: number | undefined
  readonly freezeMs: number | undefined
  readonly pingIntervalMs: number
  readonly pingTimeoutMs: number | undefined
  readonly holdMs: number
  readonly strict: boolean
  readonly seed: number
  readonly hangMs: number
  readonly ledgerFile: string | undefined
  readonly faults: FaultRates
}

/** Throws an error that a person can read where a flag is unknown or its value is no number. */
export function readFlags(argv: readonly string[]): Flags {
  const entries = Object.entries<Flag>(FLAGS).map(([name, { value, fallback }]) => [
    name,
    { type: value === undefined ? ('boolean' as const) : ('string' as const), ...defaultOf(fallback) },
  ])
  const faults = FAULT_KINDS.map((kind) => [kind, { type: 'string' as const }])
  const options = Object.fromEntries([...entries, ...faults])
  return toFlags(parseArgs({ args: [...argv], options, allowNegative: true }).values)
}

function toFlags(values: Values): Flags {
  const text = (name: FlagName) => values[name]?.toString()
  const number = (name: FlagName | FaultKind) => {
    const value = values[name]
    if (value === undefined) return undefined
    if (value !== '' && Number(value) >= 0) return Number(value)
    throw new Error(`--${name} is "${value}"; it must be a number, 0 or more`)
  }
  const milliseconds = (name: FlagName) => {
    const seconds = number(name)
    return seconds === undefined ? undefined : seconds * 1000
  }
  return {
    help: values.help === true,
    port: number('port') ?? 0,
    host: text('host') ?? '',
    endpointId: text('endpoint') ?? '',
    apiKey: text('api-key'),
    workerKey: text('worker-key'),
    worker: text('worker'),
    workerCount: number('workers') ?? 0,
    killEveryMs: milliseconds('kill-every'),
    freezeMs: milliseconds('freeze'),
    pingIntervalMs: milliseconds('ping-interval') ?? 0,
    pingTimeoutMs: milliseconds('ping-timeout'),
    holdMs: milliseconds('hold') ?? 0,
    strict: values.strict !== false,
    seed: number('seed') ?? 0,
    hangMs: milliseconds('hang-seconds') ?? 0,
    ledgerFile: text('ledger'),
    faults: Object.fromEntries(FAULT_KINDS.map((kind) => [kind, number(kind) ?? 0])),
  }
}

function defaultOf(fallback: string | undefined): { default?: string } {
  return fallback === undefined ? {} : { default: fallback }
}

export function flagsHelp(): string {
  const line = (name: string, help: string) => `  ${`--${name}`.padEnd(26)}${help}`
  return [
    'node tools/gateway/main.ts [flags]',
    '',
    ...Object.entries<Flag>(FLAGS).map(([name, { value, fallback, help }]) =>
      line(
        value === undefined ? name : `${name} <${value}>`,
        fallback === undefined ? help : `${help} (${fallback})`,
      ),
    ),
    '',
    'Faults, each with its probability for one request of a worker (0 to 1):',
    ...FAULT_KINDS.map((kind) =>
      line(`${kind} <p>`, `${FAULTS[kind].help} [${FAULTS[kind].routes.join(' ')}]`),
    ),
  ].join('\n')
}
