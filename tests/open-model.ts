/** A model folder as an engine of its own, for tests that compute. */
import { fileURLToPath } from 'node:url'
import { CPU } from '../src/devices/device.ts'
import { disableTelemetry } from '../src/devices/ort-environment.ts'
import type { Engine } from '../src/engine/engine.ts'
import { openEngine } from '../src/engine/engine.ts'
import { openFolder } from '../src/model/open-folder.ts'
import type { ModelSpec } from '../src/model/spec.ts'
import { tokenizerOf } from '../src/model/spec.ts'
import type { Runner } from '../src/runtime/runner.ts'
import { InferenceThread } from '../src/runtime/inference-thread.ts'
import type { Tokenizer } from '../src/tokenize/tokenizer.ts'
import { Cl100kDecoder } from '../src/tokenize/cl100k-decoder.ts'
import { TokenizerThread } from '../src/tokenize/tokenizer.ts'

export const BUNDLED_MODEL = fileURLToPath(new URL('../models/all-MiniLM-L6-v2-int8', import.meta.url))

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
  /** What is computed instead of what the folder says. */
  readonly change?: (spec: ModelSpec) => ModelSpec
}

export async function openModel(folder: string, options: OpenModelOptions = {}): Promise<OpenModel> {
  const { batchSize = 32, maxBatchTokens = 512, queueSize = 48_000, entry, change = (spec) => spec } = options
  disableTelemetry()
  const spec = change(await openFolder(folder))
  const tokenizers = new TokenizerThread()
  const cl100k = new Cl100kDecoder()
  const [runner, tokenizer] = await Promise.all([
    new InferenceThread(entry).load(spec, { target: 'cpu-f32', device: CPU, threadCount: 2 }),
    tokenizers.open(tokenizerOf(spec)),
  ])
  const names = [spec.name] as const
  const model = { spec, runner, tokenizer, names, batchSize, maxBatchTokens, dtypeRequested: 'auto' }
  const engine = openEngine([model], {
    queueSize,
    tokenInput: 'cl100k',
    cl100k: (ids, call) => cl100k.decode(ids, call),
  })
  const close = async () => {
    await Promise.all([engine.close(), tokenizers.close(), cl100k.close()])
  }
  return { spec, tokenizer, runner, engine, close }
}
