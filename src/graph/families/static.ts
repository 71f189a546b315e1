/** sentence-transformers 6.2, modules/static_embedding.py: vectors of tokens by themselves. Sizes as `model/` found them. */
import type { Family } from './family.ts'

/** Tokens of a text. The reference has no limit; here a text is in memory at once, a vector for each of its tokens. */
const MOST_TOKENS = 262_144

export const staticEmbedding: Family = {
  modelTypes: ['static'],
  prefixes: [''],
  probe: 'embedding.weight',
  body: /^embedding\./,
  ignored: [],
  plan(config) {
    const rowOf = config.array('row_of', Int32Array)
    const weights = config.array('weights', Float32Array)
    return {
      order: 'post',
      hiddenSize: config.int('hidden_size'),
      vocabularySize: config.int('vocab_size'),
      maxTokens: MOST_TOKENS,
      embeddings: {
        words: 'embedding',
        ...(rowOf && { sharedRows: { rowOf, rows: config.int('rows') } }),
        ...(weights && { weights }),
      },
      layers: [],
    }
  },
}
