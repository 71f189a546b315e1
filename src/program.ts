/** The composition root: starts threads first, so that they come up while the rest of the program is read. */
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import program from '../package.json' with { type: 'json' }
import { killProcess } from './base/kill-process.ts'
import type { Config } from './config.ts'
import { ServerError, messageOf } from './errors.ts'
import type { StartOptions } from './start.ts'
import type { Threads } from './threads.ts'
import type { CallOptions } from './task.ts'
import type { JobResult } from './transports/runpod/job.ts'

interface Worker {
  readonly run: (job: unknown, options?: CallOptions) => Promise<JobResult>
  readonly close: () => Promise<void>
}

type Beginning = Pick<StartOptions, 'log' | 'threads' | 'loading'>

let started: Promise<Worker> | undefined

/**
 * A RunPod job in, its output out; `{ error }` where it failed. The first call loads the models of the environment; where
 * that fails, the next call tries again. An aborted signal takes the job out of the queue.
 */
export async function handler(job: unknown, options: CallOptions = {}): Promise<unknown> {
  const starting = (started ??= readConfig([]).then((config) => start(config)))
  let worker: Worker
  try {
    worker = await starting
  } catch (error) {
    if (started === starting) started = undefined
    return { error: messageOf(error) }
  }
  const result = await worker.run(job, options)
  if ('error' in result) return result
  const { plainJson } = await import('./base/plain-json.ts')
  return plainJson(result.output)
}

/** Ends what `handler` started; jobs under way fail. */
export async function close(): Promise<void> {
  const starting = started
  started = undefined
  const worker = await starting?.catch(() => undefined)
  await worker?.close()
}

async function start(config: Config, threads?: Threads): Promise<Worker> {
  const beginning = await begin(config, threads)
  const [{ startService }, { runJob }, { Gate }] = await Promise.all([
    import('./start.ts'),
    import('./transports/runpod/job.ts'),
    import('./transports/gate.ts'),
  ])
  const { engine, close } = await startService({ config, ...beginning })
  const { maxConcurrency: concurrency, errorStyle } = config
  // Whoever calls from inside the process holds the jobs in memory anyway.
  const gate = new Gate({ concurrency, maxWaiting: Infinity, maxWaitingBytes: Infinity })
  const run = (job: unknown, options: CallOptions = {}): Promise<JobResult> =>
    gate
      .run(() => runJob(job, engine, { ...options, errorStyle }), { ...options, bytes: 0 })
      .catch((error: unknown) => ({ error: messageOf(error) }))
  return { run, close }
}

/** The rest of the program blocks this thread while it is read: models that lie at hand are given to theirs before. */
const HEAD_START_MS = 200

/** Has the models loaded. */
async function begin(config: Config, given?: Threads, signal?: AbortSignal): Promise<Beginning> {
  const [{ loadModels }, { openLog }, { Threads }] = await Promise.all([
    import('./load-models.ts'),
    import('./base/log.ts'),
    import('./threads.ts'),
  ])
  const threads = given ?? new Threads()
  const log = openLog(config.logLevel)
  const loading = loadModels({ config, log, threads, signal })
  await Promise.race([loading.handedOver, sleep(HEAD_START_MS, undefined, { ref: false })])
  return { log, threads, loading }
}

async function readConfig(argv: readonly string[]): Promise<Config> {
  const { loadConfig, readDotEnv } = await import('./config.ts')
  const dotEnv = await readFile(new URL('../.env', import.meta.url), 'utf8').then(readDotEnv, () => ({}))
  // A blank variable is an unset one: it must not hide what the file says.
  const given = Object.entries(process.env).filter(([, value]) => value?.trim() !== '')
  return loadConfig({ ...dotEnv, ...Object.fromEntries(given) }, argv)
}

/** A run that a person or a script waits for. */
function isOneShot(config: Config): boolean {
  return config.mode === 'local-run' || config.mode === 'test-input'
}

export const EXIT_FAILED = 1
const EXIT_BAD_CONFIG = 2

/** The program, from its flags to its exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  const { Threads } = await import('./threads.ts')
  // Empty threads: no model is touched before the configuration is known to be right.
  const threads = new Threads()
  try {
    const config = await readConfig(argv)
    if (config.mode === 'help') {
      const { helpText } = await import('./config.ts')
      process.stdout.write(`${helpText()}\n`)
      return 0
    }
    return await (isOneShot(config) ? runLocally(config, threads) : runServer(config, threads))
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`)
    return error instanceof Error && error.name === 'ConfigError' ? EXIT_BAD_CONFIG : EXIT_FAILED
  } finally {
    await threads.close()
  }
}

async function runServer(config: Config, threads: Threads): Promise<number> {
  const controller = new AbortController()
  // Before anything else: until then the first process of a container hears no signal.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      // Whoever asks twice does not want to wait.
      if (controller.signal.aborted) killProcess()
      controller.abort()
    })
  }
  const beginning = await begin(config, threads, controller.signal)
  const { serve } = await import('./serve.ts')
  return serve({ config, ...beginning, version: program.version, stop: controller.signal })
}

async function runLocally(config: Config, threads: Threads): Promise<number> {
  if (config.bundledModel) {
    process.stderr.write(`MODEL_NAMES is not set: using the bundled ${config.models[0]?.source}\n`)
  }
  const source = config.testInput === undefined ? 'test_input.json' : '--test_input'
  const text = config.testInput ?? (await readTestInput())
  const [{ runOnce }, { run }] = await Promise.all([
    import('./transports/local/run-once.ts'),
    start(config, threads),
  ])
  const print = (line: string) => process.stdout.write(`${line}\n`)
  return runOnce({ text, source, readable: process.stdout.isTTY, run, print })
}

const NO_JOB =
  "there is no job to run: this folder has no test_input.json; give a job with --test_input '{…}'"

async function readTestInput(): Promise<string> {
  return readFile('test_input.json', 'utf8').catch((error: unknown) => {
    throw new ServerError('invalid_request', NO_JOB, { cause: error })
  })
}
