/** A reranker, by itself and beside the embedder: scenes for servers that hold both models. */
import type { Lane } from '../client/protocol.ts'
import type { Profile } from '../profile.ts'
import { tokensFor } from '../profile.ts'
import { bulkLane } from './embed-scenes.ts'
import type { Scene } from './scene.ts'

const DOCUMENTS = 100
/** A document of the mixed kind behind a query of 12 tokens. */
const MEAN_TOKENS = 93

export function rerankScenes(profile: Profile): Scene[] {
  const requests = Math.max(1, Math.round(tokensFor(profile.sceneSeconds) / (DOCUMENTS * MEAN_TOKENS)))
  const warmUp: readonly Lane[] = [{ ...rerankLane({ requests: 1 }), textsPerRequest: 16 }]
  return [
    {
      id: 'rerank',
      title: 'rerank 1 query × 100 documents, one request at a time',
      lanes: [rerankLane({ requests })],
      warmUp,
      shown: [{ lane: 'rerank', metrics: ['p50Ms', 'tokensPerSecond'] }],
    },
    {
      id: 'two-models',
      title: 'two models at once: mixed texts embedded',
      lanes: [bulkLane('mixed', profile), rerankLane({ lane: 'bulk' })],
      warmUp,
      shown: [
        { lane: 'bulk', metrics: ['tokensPerSecond'] },
        { lane: 'rerank', metrics: ['tokensPerSecond'], title: '… and 1 × 100 documents reranked meanwhile' },
      ],
    },
  ]
}

function rerankLane(until: Lane['until']): Lane {
  return { name: 'rerank', task: 'rerank', texts: 'mixed', textsPerRequest: DOCUMENTS, connections: 1, until }
}
