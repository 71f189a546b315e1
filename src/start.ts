/** Config to a running service: one inference thread a model, one tokenizer thread for all. */
import { stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { isAbsolute } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Log } from './base/log.ts'
import type { Config, ModelRequest } from './config.ts'
import type { Engine, LoadedModel } from './engine/engine.ts'
import { openEngine } from './engine/engine.ts'
import { ServerError, asServerError } from './errors.ts'
import { openFolder } from './model/open-folder.ts'
import { InferenceThread } from './runtime/inference-thread.ts'
import { TokenizerThread } from './tokenize/tokenizer.ts'

export interface Threads {
  readonly tokenizer: TokenizerThread
  /** Inference threads not yet given to a model. */
  readonly idle: InferenceThread[]
}

/** Threads that can come up while configuration and folders are still being read. */
export function startThreads(): Threads {
  return { tokenizer: new TokenizerThread(), idle: [new InferenceThread()] }
}

/**
 * Tokens of a batch on CPU. Activations of a small batch stay in the cache, so larger ones are no faster, and whoever
 * comes next waits less (`npm run bench -- batch-size`).
 */
const CPU_BATCH_TOKENS = 512

/** Loads every model and opens the engine. Throws a `ServerError` that tells of every model that failed. */
export async function startService(config: Config, log: Log, threads = startThreads()): Promise<Engine> {
  if (config.executionProvider === 'cuda') {
    throw new ServerError(
      'provider_unavailable',
      'EXECUTION_PROVIDER: "cuda" is not available in this version; allowed here are auto and cpu',
    )
  }
  if (config.backend !== 'torch') log('info', { event: 'backend_ignored', requested: config.backend })
  const loading = config.models.map((request) => loadModel(request, config, threads, log))
  const results = await Promise.allSettled(loading)
  const failures = results.flatMap((result) =>
    result.status === 'rejected' ? [asServerError(result.reason)] : [],
  )
  const [first] = failures
  if (first !== undefined) {
    const message = failures.map((failure) => failure.message).join('\n')
    throw failures.length === 1 ? first : new ServerError(first.code, message, { cause: first })
  }
  const models = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  return openEngine(models, { queueSize: config.queueSize })
}

async function loadModel(
  request: ModelRequest,
  config: Config,
  threads: Threads,
  log: Log,
): Promise<LoadedModel> {
  const { source, aliases, batchSize, dtype: dtypeRequested } = request
  const dtype = chooseDtype(request, config, log)
  const inference = threads.idle.pop() ?? new InferenceThread()
  const folder = await locate(request, config)
  const spec = await openFolder(folder)
  const [runner, tokenizer] = await Promise.all([
    inference.load(spec, {
      target: 'cpu-f32',
      threadCount: availableParallelism(),
      onRestart: (error) => {
        log('error', { event: 'thread_restarted', model: source, error: asServerError(error).message })
      },
    }),
    threads.tokenizer.open(spec.tokenizer),
  ])
  const { loadMs, unusedTensors } = runner.loaded
  log('info', {
    event: 'model_loaded',
    model: source,
    dtype,
    provider: 'cpu',
    loadMs: Math.round(loadMs),
    unusedTensors: unusedTensors.length,
  })
  const maxBatchTokens = config.maxBatchTokens === 'auto' ? CPU_BATCH_TOKENS : config.maxBatchTokens
  // A path is no name for clients: the folder's own stands for it.
  const ownName = spec.name
  const [first = ownName, ...others] = aliases
  const names = [first, ...others, ...(first === ownName ? [] : [ownName])] as const
  return { spec, runner, tokenizer, names, batchSize, maxBatchTokens, dtype, dtypeRequested, provider: 'cpu' }
}

/** The nearest dtype that the CPU has and that is no less exact: float32. */
function chooseDtype({ source, dtype }: ModelRequest, config: Config, log: Log): 'fp32' {
  if (dtype === 'auto' || dtype === 'fp32') return 'fp32'
  const reason = `the CPU provider of this version computes in fp32`
  if (config.strictDtypes) {
    throw new ServerError(
      'model_unsupported',
      `DTYPES: ${source} asks for ${dtype}; ${reason}, and STRICT_DTYPES is set`,
    )
  }
  log('warn', { event: 'dtype_replaced', model: source, requested: dtype, used: 'fp32', reason })
  return 'fp32'
}

/** The folder of a model: given as a path, or named so that one is there. */
async function locate({ source, revision }: ModelRequest, config: Config): Promise<string> {
  if (config.bundledModel) return fileURLToPath(new URL(`../${source}`, import.meta.url))
  if (revision === undefined && (isPath(source) || (await isFolder(source)))) return source
  throw new ServerError(
    'model_unsupported',
    `MODEL_NAMES: ${source} is not a folder here; names of the Hugging Face hub are not fetched in this version`,
  )
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  )
}

function isPath(source: string): boolean {
  return isAbsolute(source) || /^\.{1,2}\//.test(source)
}
