import type { Endpoint } from './dialect.ts'
import { openaiEmbeddings, openaiModels } from './openai.ts'

/** One line an endpoint. */
export const ENDPOINTS: readonly Endpoint[] = [openaiEmbeddings, openaiModels]
