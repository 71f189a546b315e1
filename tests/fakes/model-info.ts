import type { ModelInfo } from '../../src/task.ts'

/** What a small embedding model says of itself. */
export function modelInfo(options: Partial<ModelInfo> = {}): ModelInfo {
  return {
    id: 'small',
    aliases: [],
    capabilities: ['embed'],
    dimensions: 384,
    pooling: 'mean',
    labels: [],
    adapters: [],
    prompts: [],
    maxTokens: 256,
    dtype: 'fp32',
    dtypeRequested: 'auto',
    provider: 'fake',
    batchSize: 32,
    maxBatchTokens: 512,
    queueSize: 48_000,
    readyAt: 1_763_840_000,
    stats: { queuedItems: 0, heldRequests: 0, waitingTokens: 0, runningBatches: 0 },
    healthy: true,
    ...options,
  }
}
