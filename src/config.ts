import { parseEnv } from 'node:util'
import type { ModelName } from './config/model-names.ts'
import { readModelNames } from './config/model-names.ts'
import type { Bucket, Platform } from './config/platform.ts'
import { readBucket, readPlatform } from './config/platform.ts'
import type { Texts } from './config/rows.ts'
import { cutAt, isBlank, readRow } from './config/rows.ts'
import { splitList } from './config/reading.ts'
import { BUNDLED_MODEL, DEFAULT_API_PORT, FLAGS, MODES, SETTINGS } from './config/settings.ts'
import type { Complain } from './config/reading.ts'
import type { DtypeSetting, Flag, LogLevel, Mode, Setting } from './config/settings.ts'

export { helpText } from './config/help.ts'
export type { DtypeSetting, LogLevel, Mode } from './config/settings.ts'

export interface ModelRequest extends ModelName {
  readonly batchSize: number
  readonly dtype: DtypeSetting
}

/** What images and audio of clients may be, and where they may be fetched from. */
export interface MediaConfig {
  /** Hosts are those that may be fetched from. */
  readonly urls: 'public' | 'off' | readonly string[]
  /** Of one file. */
  readonly maxBytes: number
  readonly maxPixels: number
  readonly maxSeconds: number
  readonly timeoutMs: number
}

export interface Config {
  readonly mode: Mode
  readonly models: readonly ModelRequest[]
  /** True when a local mode falls back to the model that ships with the program. */
  readonly bundledModel: boolean
  readonly backend: 'torch' | 'optimum' | 'ctranslate2'
  readonly queueSize: number
  readonly maxQueueTokens: number | 'auto'
  readonly maxConcurrency: number
  readonly maxBatchTokens: number | 'auto'
  readonly executionProvider: 'auto' | 'cpu' | 'cuda'
  /** Numbers are GPUs. */
  readonly devices: 'auto' | 'cpu' | readonly number[]
  /** Of each model; no more than there are cores. */
  readonly cpuSessions: number
  readonly allowTf32: boolean
  readonly apiKey?: string | undefined
  readonly port?: number | undefined
  readonly portHealth?: number | undefined
  readonly hfHome?: string | undefined
  readonly hfToken?: string | undefined
  readonly hfEndpoint: string
  readonly hfHubOffline: boolean
  readonly cacheDir?: string | undefined
  readonly cacheMb: number
  readonly tokenInput: 'cl100k' | 'native' | 'reject'
  readonly errorStyle: 'failed' | 'incumbent'
  readonly strictDtypes: boolean
  readonly int8Mode: 'fast' | 'balanced' | 'faithful'
  readonly int8Force: boolean
  readonly media: MediaConfig
  readonly webhookHosts: readonly string[]
  readonly shutdownGraceMs: number
  readonly refreshWorker: boolean
  readonly bucket?: Bucket | undefined
  readonly platform: Platform
  readonly logLevel: LogLevel
  /** The job of `--test_input`, as written. */
  readonly testInput?: string | undefined
  readonly apiHost: string
  readonly apiPort: number
  readonly apiConcurrency: number
}

export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.problems = problems
  }
}

/** `argv` is without the program and the script. Throws a `ConfigError` that lists every problem. */
export function loadConfig(env: Texts, argv: readonly string[]): Config {
  const problems: string[] = []
  const complain: Complain = (problem) => problems.push(problem)
  const given = readFlags(argv, complain)
  const mode = decideMode(env, given)
  // whoever asks for help may have an environment that is wrong
  if (mode === 'help') return configFrom({}, {}, mode, () => {})
  const config = configFrom(env, given, mode, complain)
  if (problems.length > 0) throw new ConfigError(problems)
  return config
}

export function readDotEnv(text: string): Record<string, string> {
  // some editors open the file with a byte order mark, which would become part of the first name
  const parsed = parseEnv(text.replace(/^\uFEFF/, ''))
  return Object.fromEntries(Object.entries(parsed).map(([name, value]) => [name, value ?? '']))
}

function configFrom(env: Texts, given: Texts, mode: Mode, complain: Complain): Config {
  const setting = <T>(row: Setting<T>): T => readRow(row, env, complain)
  const flag = <T>(row: Flag<T>): T => readRow(row, given, complain)
  const maxConcurrency = setting(SETTINGS.maxConcurrency)
  const port = setting(SETTINGS.port)
  // Of a run that somebody waits for, the result is what they want to read.
  const usual = mode === 'local-run' || mode === 'test-input' ? 'warn' : 'info'
  const logLevel = setting(SETTINGS.logLevel) ?? usual
  return deepFreeze({
    mode,
    ...readModels(env, mode, complain),
    backend: setting(SETTINGS.backend),
    queueSize: setting(SETTINGS.queueSize),
    maxQueueTokens: setting(SETTINGS.maxQueueTokens),
    maxConcurrency,
    maxBatchTokens: setting(SETTINGS.maxBatchTokens),
    ...readDevices(env, complain),
    cpuSessions: setting(SETTINGS.cpuSessions),
    allowTf32: setting(SETTINGS.allowTf32),
    apiKey: setting(SETTINGS.apiKey),
    port,
    portHealth: setting(SETTINGS.portHealth),
    hfHome: setting(SETTINGS.hfHome),
    hfToken: setting(SETTINGS.hfToken),
    hfEndpoint: setting(SETTINGS.hfEndpoint),
    hfHubOffline: setting(SETTINGS.hfHubOffline),
    cacheDir: setting(SETTINGS.cacheDir),
    cacheMb: setting(SETTINGS.cacheMb),
    tokenInput: setting(SETTINGS.tokenInput),
    errorStyle: setting(SETTINGS.errorStyle),
    strictDtypes: setting(SETTINGS.strictDtypes),
    int8Mode: setting(SETTINGS.int8Mode),
    int8Force: setting(SETTINGS.int8Force),
    media: {
      urls: setting(SETTINGS.mediaUrls),
      maxBytes: setting(SETTINGS.mediaMaxMb) * 1_000_000,
      maxPixels: setting(SETTINGS.mediaMaxPixels),
      maxSeconds: setting(SETTINGS.mediaMaxSeconds),
      timeoutMs: setting(SETTINGS.mediaTimeoutSeconds) * 1000,
    },
    webhookHosts: setting(SETTINGS.webhookHosts),
    shutdownGraceMs: setting(SETTINGS.shutdownGraceSeconds) * 1000,
    refreshWorker: setting(SETTINGS.refreshWorker),
    bucket: readBucket(env, complain),
    platform: readPlatform(env),
    logLevel: flag(FLAGS.logLevel) ?? logLevel,
    testInput: given['--test_input'],
    apiHost: flag(FLAGS.apiHost),
    apiPort: flag(FLAGS.apiPort) ?? port ?? DEFAULT_API_PORT,
    apiConcurrency: flag(FLAGS.apiConcurrency) ?? maxConcurrency,
  })
}

function decideMode(env: Texts, given: Texts): Mode {
  const isSet = (name: string): boolean => name in given || !isBlank(env[name])
  const row = MODES.find(({ triggers }) => triggers.length === 0 || triggers.some(isSet))
  return row?.mode ?? 'local-run'
}

/** Flag → its value, by the first name of the flag; a switch that is given has the value `1`. */
function readFlags(argv: readonly string[], complain: Complain): Texts {
  const rows: readonly Flag<unknown>[] = Object.values(FLAGS)
  const given: Record<string, string> = {}
  const rest = [...argv]
  for (let token = rest.shift(); token !== undefined; token = rest.shift()) {
    const [name, inline] = cutAt('=', token)
    const row = rows.find((row) => row.names.includes(name))
    // what follows an unknown flag is most likely its value: not a second mistake, and perhaps a secret
    const takesNext = row === undefined ? name.startsWith('-') : row.argument !== undefined
    const nextIsValue = inline === undefined && takesNext && !(rest[0] ?? '--').startsWith('--')
    const value = nextIsValue ? rest.shift() : inline
    if (row === undefined) {
      complain(unknownFlag(name))
    } else if (row.argument === undefined) {
      if (value !== undefined) complain(`${name}: takes no value`)
      given[row.names[0]] = '1'
    } else {
      const isMissing = value === undefined || (row === FLAGS.testInput && isBlank(value))
      if (isMissing) complain(`${name}: needs a value, ${name} ${row.argument}`)
      given[row.names[0]] = value ?? ''
    }
  }
  return given
}

function unknownFlag(name: string): string {
  // a stray word is not shown: it may be the value of a flag that was split by mistake, and a secret
  if (!name.startsWith('-')) return 'a word among the flags belongs to none of them; quote values with spaces'
  const spelled = name.toLowerCase().replaceAll(/(?<=\w)-/g, '_')
  const isNear = Object.values(FLAGS).some((row) => row.names.includes(spelled))
  return `${name}: unknown flag; ${isNear ? `did you mean ${spelled}?` : '--help lists them'}`
}

function readDevices(env: Texts, complain: Complain): Pick<Config, 'executionProvider' | 'devices'> {
  const executionProvider = readRow(SETTINGS.executionProvider, env, complain)
  const devices = readRow(SETTINGS.devices, env, complain)
  if (executionProvider === 'cuda' && devices === 'cpu') {
    complain('DEVICES: "cpu" contradicts EXECUTION_PROVIDER=cuda')
  }
  if (executionProvider === 'cpu' && typeof devices === 'object') {
    complain(`DEVICES: "${devices.join(';')}" names GPUs and contradicts EXECUTION_PROVIDER=cpu`)
  }
  return { executionProvider, devices }
}

function readModels(env: Texts, mode: Mode, complain: Complain): Pick<Config, 'models' | 'bundledModel'> {
  const entries = readRow(SETTINGS.models, env, complain)
  const isRemote = mode === 'queue-worker' || mode === 'http-server'
  const bundledModel = entries.length === 0 && !isRemote
  if (entries.length === 0 && isRemote) {
    complain(`MODEL_NAMES: names no model; the mode ${mode} needs one, such as BAAI/bge-small-en-v1.5`)
  }
  const names = bundledModel
    ? [{ source: BUNDLED_MODEL, aliases: [] }]
    : readModelNames(entries, (problem) => complain(`MODEL_NAMES: ${problem}`))
  const context = { env, modelCount: bundledModel ? 1 : entries.length, complain }
  const batchSizeOf = readPerModel(SETTINGS.batchSizes, context)
  const dtypeOf = readPerModel(SETTINGS.dtypes, context)
  const models = names.map((name, index) => ({
    ...name,
    batchSize: batchSizeOf(index),
    dtype: dtypeOf(index),
  }))
  return { models, bundledModel }
}

interface ListContext {
  readonly env: Texts
  readonly modelCount: number
  readonly complain: Complain
}

function readPerModel<T>(row: Setting<readonly [T, ...T[]]>, context: ListContext): (index: number) => T {
  const { env, modelCount, complain } = context
  const values = readRow(row, env, complain)
  const [name] = row.names
  // counted in the text, so that a wrong value does not hide a wrong count
  const valueCount = splitList(env[name] ?? '').length
  if (valueCount > 1 && modelCount > 0 && valueCount !== modelCount) {
    const models = modelCount === 1 ? '1 model' : `${modelCount} models`
    complain(`${name}: has ${valueCount} values for ${models}; give one value for all, or one per model`)
  }
  return (index) => values[index] ?? values[0]
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) for (const inner of Object.values(value)) deepFreeze(inner)
  return Object.freeze(value)
}
