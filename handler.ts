/** The composition root: starts threads first, so that they come up while the rest of the program is read. */
import { readFile } from 'node:fs/promises'
import type { Config } from './src/config.ts'
import type { Engine } from './src/engine/engine.ts'
import type { Threads } from './src/start.ts'
import type { CallOptions } from './src/task.ts'
import type { JobResult } from './src/transports/runpod/job.ts'

type RunJob = (job: unknown, options?: CallOptions) => Promise<JobResult>

let started: Promise<{ run: RunJob; engine: Engine }> | undefined

/**
 * A RunPod job in, its output out; `{ error }` where it failed. The first call loads the models of the environment.
 * An aborted signal takes the job out of the queue.
 */
export async function handler(job: unknown, options: CallOptions = {}): Promise<unknown> {
  try {
    started ??= readConfig([]).then((config) => start(config))
    const result = await (await started).run(job, options)
    return 'error' in result ? result : result.output
  } catch (error) {
    started = undefined
    return { error: messageOf(error) }
  }
}

/** Ends the threads that `handler` started. */
export async function close(): Promise<void> {
  const engine = (await started)?.engine
  started = undefined
  await engine?.close()
}

async function start(config: Config, threads?: Threads): Promise<{ run: RunJob; engine: Engine }> {
  const [{ startService }, { openLog }, { runJob }, { default: PQueue }] = await Promise.all([
    import('./src/start.ts'),
    import('./src/base/log.ts'),
    import('./src/transports/runpod/job.ts'),
    import('p-queue'),
  ])
  const log = openLog(isOneShot(config) && config.logLevel === 'info' ? 'warn' : config.logLevel)
  const engine = await startService(config, log, threads)
  const gate = new PQueue({ concurrency: config.maxConcurrency })
  const run: RunJob = (job, options) => gate.add(() => runJob(job, engine, config.errorStyle, options))
  return { run, engine }
}

async function readConfig(argv: readonly string[]): Promise<Config> {
  const { loadConfig, readDotEnv } = await import('./src/config.ts')
  const dotEnv = await readFile(new URL('.env', import.meta.url), 'utf8').then(readDotEnv, () => ({}))
  return loadConfig({ ...dotEnv, ...process.env }, argv)
}

/** A run that a person or a script waits for: its result is what they want to read. */
function isOneShot(config: Config): boolean {
  return config.mode === 'local-run' || config.mode === 'test-input'
}

const EXIT_FAILED = 1
const EXIT_BAD_CONFIG = 2

async function main(argv: readonly string[]): Promise<number> {
  const { startThreads } = await import('./src/start.ts')
  const threads = startThreads()
  let config: Config
  try {
    config = await readConfig(argv)
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`)
    return EXIT_BAD_CONFIG
  }
  if (config.mode === 'help') {
    const { helpText } = await import('./src/config.ts')
    process.stdout.write(`${helpText()}\n`)
    return 0
  }
  if (!isOneShot(config)) {
    process.stderr.write(`mode ${config.mode} is not available in this version; see node handler.ts --help\n`)
    return EXIT_BAD_CONFIG
  }
  try {
    return await runLocally(config, threads)
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`)
    return EXIT_FAILED
  }
}

async function runLocally(config: Config, threads: Threads): Promise<number> {
  if (config.bundledModel)
    process.stderr.write(`MODEL_NAMES is not set: using the bundled ${config.models[0]?.source}\n`)
  const [{ runOnce }, { run, engine }] = await Promise.all([
    import('./src/transports/local/run-once.ts'),
    start(config, threads),
  ])
  const text = config.testInput ?? (await readFile('test_input.json', 'utf8'))
  const print = (line: string) => process.stdout.write(`${line}\n`)
  const source = config.testInput === undefined ? 'test_input.json' : '--test_input'
  const exitCode = await runOnce({ text, source, readable: process.stdout.isTTY, run, print })
  await engine.close()
  return exitCode
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2))
