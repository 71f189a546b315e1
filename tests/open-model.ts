/** A model folder as an engine of its own, for tests that compute. */
import type { Engine } from '../src/engine/engine.ts'
import { openEngine } from '../src/engine/engine.ts'
import { openFolder } from '../src/model/open-folder.ts'
import type { ModelSpec } from '../src/model/spec.ts'
import type { Runner } from '../src/runtime/runner.ts'
import { InferenceThread } from '../src/runtime/inference-thread.ts'
import type { Tokenizer } from '../src/tokenize/tokenizer.ts'
import { TokenizerThread } from '../src/tokenize/tokenizer.ts'

export const BUNDLED_MODEL = new URL('../models/all-MiniLM-L6-v2-int8', import.meta.url).pathname

export interface OpenModel {
  readonly spec: ModelSpec
  readonly tokenizer: Tokenizer
  readonly runner: Runner
  readonly engine: Engine
  readonly close: () => Promise<void>
}

export interface OpenModelOptions {
  readonly batchSize?: number
  readonly maxBatchTokens?: number
  readonly queueSize?: number
  /** Another entry file of the inference thread. */
  readonly entry?: URL
}

export async function openModel(folder: string, options: OpenModelOptions = {}): Promise<OpenModel> {
  const { batchSize = 32, maxBatchTokens = 512, queueSize = 48_000, entry } = options
  const spec = await openFolder(folder)
  const tokenizers = new TokenizerThread()
  const [runner, tokenizer] = await Promise.all([
    new InferenceThread(entry).load(spec, { target: 'cpu-f32', threadCount: 2 }),
    tokenizers.open(spec.tokenizer),
  ])
  const names = [spec.name] as const
  const model = { spec, runner, tokenizer, names, batchSize, maxBatchTokens, dtypeRequested: 'auto' }
  const engine = openEngine([model], { queueSize })
  const close = async () => {
    await Promise.all([engine.close(), tokenizers.close()])
  }
  return { spec, tokenizer, runner, engine, close }
}
