import { embedV1, embedV2, rerankV1, rerankV2 } from './cohere.ts'
import { inference } from './deepinfra.ts'
import type { Endpoint } from './dialect.ts'
import { byShape } from './huggingface.ts'
import { classify, legacyAudio, legacyImages, rerank } from './infinity.ts'
import { multiVector } from './jina.ts'
import { reranking } from './mixedbread.ts'
import { ranking } from './nvidia.ts'
import { azureEmbeddings, embeddings, generation, model, models } from './openai.ts'
import * as tei from './tei.ts'
import { info } from './tei-info.ts'
import { predict } from './tei-predict.ts'
import { pooling } from './vllm-pooling.ts'
import { score } from './vllm.ts'
import { multimodal } from './voyage.ts'
import { clusterAuth } from './xinference.ts'

export interface Dialect {
  /** As people call it. */
  readonly name: string
  readonly endpoints: readonly Endpoint[]
}

/** One line a dialect. Of endpoints with one route the more particular comes first. */
export const DIALECTS: readonly Dialect[] = [
  { name: 'OpenAI', endpoints: [embeddings, azureEmbeddings, models, model, generation] },
  { name: 'Cohere', endpoints: [embedV1, embedV2, rerankV1, rerankV2] },
  {
    name: 'Text Embeddings Inference',
    endpoints: [
      tei.embed,
      tei.embedAll,
      tei.embedSparse,
      tei.rerank,
      predict,
      tei.similarity,
      tei.tokenize,
      tei.decode,
      info,
    ],
  },
  { name: 'Infinity', endpoints: [rerank, classify, legacyImages, legacyAudio] },
  { name: 'DeepInfra', endpoints: [inference] },
  { name: 'NVIDIA', endpoints: [ranking] },
  { name: 'Mixedbread', endpoints: [reranking] },
  { name: 'Jina', endpoints: [multiVector] },
  { name: 'Voyage', endpoints: [multimodal] },
  { name: 'vLLM', endpoints: [score, pooling] },
  { name: 'Xinference', endpoints: [clusterAuth] },
  { name: 'Hugging Face', endpoints: [byShape] },
]

export const ENDPOINTS: readonly Endpoint[] = DIALECTS.flatMap(({ endpoints }) => endpoints)
