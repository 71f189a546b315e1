import type { ServerRecipe } from './contestant.ts'

export type InfinityEngine = 'optimum' | 'torch'

/**
 * infinity_emb from a Python environment that `peers/setup.ts` makes. Its exported model lies beside the weights. Pooling is told,
 * since its engine "optimum" would take the first token of a mean-pooled model; BetterTransformer is left out, which its
 * other engine loads no model with here.
 */
export function infinity(
  venv: string,
  engine: InfinityEngine,
  versions: Readonly<Record<string, string>>,
  cache: string,
): ServerRecipe {
  return {
    id: `infinity-${engine}`,
    title: `Infinity ${versions['infinity_emb'] ?? ''}, ${engine}`,
    api: 'openai',
    versions,
    names: { embed: 'embedder', rerank: 'reranker' },
    patienceMs: 180_000,
    command: (port, { embedder, reranker }) => ({
      program: `${venv}/bin/infinity_emb`,
      args: [
        'v2',
        ...modelFlags('embedder', embedder),
        ...(reranker === undefined ? [] : modelFlags('reranker', reranker)),
        ...flagsOf({
          engine,
          device: 'cpu',
          dtype: 'float32',
          'batch-size': '32',
          'pooling-method': 'mean',
          host: '127.0.0.1',
          port: String(port),
          'url-prefix': '/v1',
          'log-level': 'warning',
        }),
        '--no-bettertransformer',
      ],
      env: {
        HF_HUB_OFFLINE: '1',
        HF_HOME: cache,
        DO_NOT_TRACK: '1',
        INFINITY_ANONYMOUS_USAGE_STATS: '0',
      },
    }),
  }
}

function modelFlags(name: string, folder: string): string[] {
  return flagsOf({ 'model-id': folder, 'served-model-name': name })
}

function flagsOf(values: Readonly<Record<string, string>>): string[] {
  return Object.entries(values).flatMap(([name, value]) => [`--${name}`, value])
}
