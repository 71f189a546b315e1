/** The composition root: starts threads first, so that they come up while the rest of the program is read. */
import { readFile } from 'node:fs/promises'
import { enableCompileCache } from 'node:module'
import program from './package.json' with { type: 'json' }
import type { Config } from './src/config.ts'
import { ServerError, messageOf } from './src/errors.ts'
import type { Threads } from './src/threads.ts'
import type { CallOptions } from './src/task.ts'
import type { JobResult } from './src/transports/runpod/job.ts'

interface Worker {
  readonly run: (job: unknown, options?: CallOptions) => Promise<JobResult>
  readonly close: () => Promise<void>
}

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
  const { plainJson } = await import('./src/base/plain-json.ts')
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
  const [{ startService }, { openLog }, { runJob }, { Gate }] = await Promise.all([
    import('./src/start.ts'),
    import('./src/base/log.ts'),
    import('./src/transports/runpod/job.ts'),
    import('./src/transports/gate.ts'),
  ])
  const log = openLog(config.logLevel)
  const { engine, close } = await startService({ config, log, threads })
  const { maxConcurrency: concurrency, errorStyle } = config
  // Whoever calls from inside the process holds the jobs in memory anyway.
  const gate = new Gate({ concurrency, maxWaiting: Infinity, maxWaitingBytes: Infinity })
  const run = (job: unknown, options: CallOptions = {}): Promise<JobResult> =>
    gate
      .run(() => runJob(job, engine, { ...options, errorStyle }), { ...options, bytes: 0 })
      .catch((error: unknown) => ({ error: messageOf(error) }))
  return { run, close }
}

async function readConfig(argv: readonly string[]): Promise<Config> {
  const { loadConfig, readDotEnv } = await import('./src/config.ts')
  const dotEnv = await readFile(new URL('.env', import.meta.url), 'utf8').then(readDotEnv, () => ({}))
  // A blank variable is an unset one: it must not hide what the file says.
  const given = Object.entries(process.env).filter(([, value]) => value?.trim() !== '')
  return loadConfig({ ...dotEnv, ...Object.fromEntries(given) }, argv)
}

/** A run that a person or a script waits for. */
function isOneShot(config: Config): boolean {
  return config.mode === 'local-run' || config.mode === 'test-input'
}

const EXIT_FAILED = 1
const EXIT_BAD_CONFIG = 2

async function main(argv: readonly string[]): Promise<number> {
  shareCompileCache()
  const { Threads } = await import('./src/threads.ts')
  // Empty threads: no model is touched before the configuration is known to be right.
  const threads = new Threads()
  try {
    const config = await readConfig(argv)
    if (config.mode === 'help') {
      const { helpText } = await import('./src/config.ts')
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

/** Compiled code is kept between runs, of worker threads too: they read where from the environment. */
function shareCompileCache(): void {
  const { directory } = enableCompileCache()
  if (directory !== undefined) process.env['NODE_COMPILE_CACHE'] ??= directory
}

async function runServer(config: Config, threads: Threads): Promise<number> {
  const [{ serve, killProcess }, { openLog }] = await Promise.all([
    import('./src/serve.ts'),
    import('./src/base/log.ts'),
  ])
  const controller = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      // Whoever asks twice does not want to wait.
      if (controller.signal.aborted) killProcess()
      controller.abort()
    })
  }
  const log = openLog(config.logLevel)
  return serve({ config, log, threads, version: program.version, stop: controller.signal })
}

async function runLocally(config: Config, threads: Threads): Promise<number> {
  if (config.bundledModel) {
    process.stderr.write(`MODEL_NAMES is not set: using the bundled ${config.models[0]?.source}\n`)
  }
  const source = config.testInput === undefined ? 'test_input.json' : '--test_input'
  const text = config.testInput ?? (await readTestInput())
  const [{ runOnce }, { run }] = await Promise.all([
    import('./src/transports/local/run-once.ts'),
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

if (import.meta.main) {
  // Whoever read the output may be gone (EPIPE), which is no failure; a full disk is one.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') process.stderr.write(`the result cannot be written: ${error.message}\n`)
    process.exit(error.code === 'EPIPE' ? 0 : EXIT_FAILED)
  })
  process.exitCode = await main(process.argv.slice(2))
}
