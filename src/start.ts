/** Config to a running service: one inference thread a model, one tokenizer thread for all. */
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { basename } from 'node:path'
import type { Log } from './base/log.ts'
import type { BatchFacts } from './base/metrics.ts'
import type { Config, ModelRequest } from './config.ts'
import type { Engine, EngineOptions, LoadedModel } from './engine/engine.ts'
import { openEngine } from './engine/engine.ts'
import { ResultCache } from './engine/result-cache.ts'
import { ServerError, asServerError } from './errors.ts'
import { isPath, locateModel } from './locate-model.ts'
import type { ProgressBar } from './model/progress-bar.ts'
import { openProgressBar } from './model/progress-bar.ts'
import { openFolder } from './model/open-folder.ts'
import { Threads } from './threads.ts'

export interface RunningService {
  readonly engine: Engine
  /** Ends its threads too. */
  readonly close: () => Promise<void>
}

export interface StartOptions {
  readonly config: Config
  readonly log: Log
  /** May have been started before the configuration was read; they belong to the service from here on. */
  readonly threads?: Threads | undefined
  /** Told of every batch that ran. */
  readonly onBatch?: ((model: string, batch: BatchFacts) => void) | undefined
  /** Told of items that were answered without a place in a batch. */
  readonly onReuse?: EngineOptions['onReuse']
  /** Ends what is being fetched. */
  readonly signal?: AbortSignal | undefined
}

const MEGABYTE = 1_000_000

/** Loads every model and opens the engine. Throws a `ServerError` that tells of every model that failed; no thread is left then. */
export async function startService(options: StartOptions): Promise<RunningService> {
  const { config, log, threads = new Threads(), onBatch, onReuse, signal } = options
  try {
    expectDevices(config, log)
    if (config.backend !== 'torch') log('info', { event: 'backend_ignored', requested: config.backend })
    const names = nameModels(config)
    const bar = openProgressBar(process.stderr)
    const loading = config.models.map((request, index) =>
      loadModel({ request, names: names[index] as Names, config, threads, log, bar, signal }),
    )
    const results = await Promise.allSettled(loading)
    bar.clear()
    const failures = results.flatMap((result) =>
      result.status === 'rejected' ? [asServerError(result.reason)] : [],
    )
    const [first] = failures
    if (first !== undefined) {
      throw new ServerError(first.code, failures.map(({ message }) => message).join('\n'), { cause: first })
    }
    const models = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
    const { queueSize, tokenInput, cacheMb } = config
    const cache = cacheMb === 0 ? undefined : new ResultCache({ maxBytes: cacheMb * MEGABYTE })
    const cl100k: EngineOptions['cl100k'] = (ids, call) => threads.cl100k.decode(ids, call)
    const engine = openEngine(models, { queueSize, tokenInput, cl100k, cache, onBatch, onReuse })
    const close = async () => {
      await engine.close()
      await threads.close()
    }
    return { engine, close }
  } catch (error) {
    await threads.close()
    throw error
  }
}

/** A GPU that somebody pays for must not idle in silence. */
function expectDevices({ executionProvider, devices }: Config, log: Log): void {
  if (executionProvider === 'cuda' || Array.isArray(devices)) {
    const setting =
      executionProvider === 'cuda' ? 'EXECUTION_PROVIDER: "cuda"' : `DEVICES: "${String(devices)}"`
    throw new ServerError(
      'provider_unavailable',
      `${setting} asks for a GPU; this version computes on the CPU only`,
    )
  }
  if (executionProvider === 'auto' && existsSync('/dev/nvidiactl')) log('warn', { event: 'gpu_unused' })
}

type Names = readonly [string, ...string[]]

/** Names of each model, the one shown first: its aliases, then its own. Throws `model_invalid` where two share one. */
function nameModels({ models, bundledModel }: Config): Names[] {
  const owners = new Map<string, string>()
  return models.map(({ source, aliases }) => {
    // A path is no name for clients: without an alias the folder's own stands for it.
    const isFolderPath = bundledModel || isPath(source)
    const own = isFolderPath ? basename(source) : source
    const [first = own, ...others] = aliases
    const names: Names = [first, ...others, ...(isFolderPath || first === own ? [] : [own])]
    for (const name of names) {
      const other = owners.get(name)
      if (other !== undefined) {
        throw new ServerError(
          'model_invalid',
          `MODEL_NAMES: ${other} and ${source} would both be served as "${name}"; give one an alias: other-name=${source}`,
        )
      }
      owners.set(name, source)
    }
    return names
  })
}

interface LoadOptions {
  readonly request: ModelRequest
  readonly names: Names
  readonly config: Config
  readonly threads: Threads
  readonly log: Log
  readonly bar: ProgressBar
  readonly signal: AbortSignal | undefined
}

async function loadModel({
  request,
  names,
  config,
  threads,
  log,
  bar,
  signal,
}: LoadOptions): Promise<LoadedModel> {
  const [name] = names
  expectDtype(request, config, log)
  const inference = threads.takeInference()
  try {
    const spec = await openFolder(await locateModel(request, { config, log, bar, signal }), name)
    const [runner, tokenizer] = await Promise.all([
      inference.load(spec, {
        target: 'cpu-f32',
        threadCount: availableParallelism(),
        onDeath: ({ message }) => log('error', { event: 'thread_died', model: name, error: message }),
        onRevival: (ms) => log('warn', { event: 'thread_revived', model: name, loadMs: Math.round(ms) }),
      }),
      threads.tokenizer.open(spec.tokenizer),
    ])
    const { loadMs, unusedTensors } = runner.loaded
    const { dtype, provider } = runner
    const unused = unusedTensors.length
    log('info', {
      event: 'model_loaded',
      model: name,
      dtype,
      provider,
      loadMs: Math.round(loadMs),
      unusedTensors: unused,
    })
    const maxBatchTokens = config.maxBatchTokens === 'auto' ? undefined : config.maxBatchTokens
    const { batchSize, dtype: dtypeRequested } = request
    return { spec, runner, tokenizer, names, batchSize, maxBatchTokens, dtypeRequested }
  } catch (error) {
    const { code, message } = asServerError(error)
    // With several models an operator must see which, and where it was looked for.
    const shown = name === request.source ? name : `${name} (${request.source})`
    const text = message.startsWith(`${name}: `) ? message.slice(name.length + 2) : message
    throw new ServerError(code, `${shown}: ${text}`, { cause: error })
  }
}

/** The CPU computes in float32: the nearest that is no less exact, of whatever is asked. */
function expectDtype({ source, dtype }: ModelRequest, config: Config, log: Log): void {
  if (dtype === 'auto' || dtype === 'fp32') return
  const reason = 'the CPU provider of this version computes in fp32'
  if (config.strictDtypes) {
    throw new ServerError(
      'model_unsupported',
      `DTYPES: ${source} asks for ${dtype}; ${reason}, and STRICT_DTYPES is set`,
    )
  }
  log('warn', { event: 'dtype_replaced', model: source, requested: dtype, used: 'fp32', reason })
}
