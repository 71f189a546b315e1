/** Models that are loaded in name only. */
import type { EngineOptions, LoadedModel } from '../../src/engine/engine.ts'
import { openEngine } from '../../src/engine/engine.ts'
import type { EmbeddingStep, ModelSpec, PoolingStep } from '../../src/model/spec.ts'
import { FakeRunner, type FakeRunnerOptions } from './runner.ts'
import { FakeTokenizer } from './tokenizer.ts'

export interface FakeModelOptions extends FakeRunnerOptions {
  readonly names?: readonly [string, ...string[]]
  /** A classifier with these labels; an embedding model where there are none. */
  readonly labels?: readonly string[]
  readonly steps?: readonly EmbeddingStep[]
  readonly spec?: Partial<ModelSpec>
  readonly joinsPairs?: boolean
  readonly batchSize?: number
  readonly maxBatchTokens?: number
}

export interface FakeModel extends LoadedModel {
  readonly runner: FakeRunner
  readonly tokenizer: FakeTokenizer
}

export const POOLING: PoolingStep = { kind: 'pooling', modes: ['mean'], includePrompt: true }
export const NORMALIZE: EmbeddingStep = { kind: 'normalize' }

export function fakeModel(options: FakeModelOptions = {}): FakeModel {
  const { names = ['fake-model'], labels, steps = [POOLING, NORMALIZE], joinsPairs, maxBatchTokens } = options
  const spec: ModelSpec = {
    name: names[0],
    modelType: 'bert',
    config: {},
    tensors: {},
    head:
      labels === undefined
        ? { kind: 'embedding', steps }
        : { kind: 'classification', labels, activation: 'sigmoid' },
    tokenizer: { file: '/nowhere', maxTokens: 256, truncationSide: 'right', lowerCase: false },
    prompts: {},
    defaultPromptName: undefined,
    truncateDimensions: undefined,
    ...options.spec,
  }
  const limits = labels === undefined ? {} : { outputWidth: 2 * labels.length, tokenWidth: 0 }
  return {
    spec,
    runner: new FakeRunner({ automatic: true, ...options, limits: { ...limits, ...options.limits } }),
    tokenizer: new FakeTokenizer(joinsPairs),
    names,
    batchSize: options.batchSize ?? 32,
    maxBatchTokens,
    dtypeRequested: 'auto',
  }
}

export function engineOf(models: readonly LoadedModel[], options: Partial<EngineOptions> = {}) {
  return openEngine(models, {
    queueSize: 1000,
    now: () => 0,
    tokenInput: 'cl100k',
    cl100k: async (ids) => ids.map((list) => `cl100k ${list.join(' ')}`),
    ...options,
  })
}
