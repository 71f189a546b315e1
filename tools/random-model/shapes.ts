/** The sizes of well-known models, and of tiny ones of the same families: data only. */

export type RandomFamily = 'bert' | 'xlm-roberta' | 'modernbert' | 'qwen3'

export interface Shape {
  readonly family: RandomFamily
  readonly hidden: number
  readonly layers: number
  readonly heads: number
  /** Heads of keys and values. */
  readonly keyHeads: number
  readonly headWidth: number
  /** Width between the two matrices of the feed-forward block; of a gated one each of its two halves. */
  readonly inner: number
  /** Rows of the embedding table: at least as many as the tokenizer has pieces. */
  readonly vocabulary: number
  /** Rows of the table of positions, or what rotary positions were trained for. */
  readonly positions: number
  /** Tokens of the longest text. */
  readonly longest: number
  readonly pooling: 'cls' | 'lasttoken'
  /** Tokens that a local layer looks at to either side, and which layers look at all: each n-th from the first. */
  readonly window?: { readonly reach: number; readonly globalEvery: number }
}

/** Pieces of the bundled model's vocabulary, which all these models read texts with. */
export const PIECES = 30_522

const BERT = { family: 'bert', vocabulary: PIECES, positions: 512, longest: 512, pooling: 'cls' } as const
const XLM = { family: 'xlm-roberta', pooling: 'cls' } as const
const MODERN = { family: 'modernbert', pooling: 'cls' } as const
const QWEN = { family: 'qwen3', pooling: 'lasttoken' } as const

function equalHeads(hidden: number, layers: number, heads: number, inner: number) {
  return { hidden, layers, heads, keyHeads: heads, headWidth: hidden / heads, inner }
}

export const SHAPES = {
  'bge-small': { ...BERT, ...equalHeads(384, 12, 12, 1536) },
  'bge-base': { ...BERT, ...equalHeads(768, 12, 12, 3072) },
  'bge-large': { ...BERT, ...equalHeads(1024, 24, 16, 4096) },
  'bge-m3': {
    ...XLM,
    ...equalHeads(1024, 24, 16, 4096),
    vocabulary: 250_002,
    positions: 8194,
    longest: 8192,
  },
  'modernbert-base': {
    ...MODERN,
    ...equalHeads(768, 22, 12, 1152),
    vocabulary: 50_368,
    positions: 8192,
    longest: 8192,
    window: { reach: 64, globalEvery: 3 },
  },
  'qwen3-embedding-0.6b': {
    ...QWEN,
    hidden: 1024,
    layers: 28,
    heads: 16,
    keyHeads: 8,
    headWidth: 128,
    inner: 3072,
    vocabulary: 151_669,
    positions: 32_768,
    longest: 32_768,
  },
  'tiny-bert': { ...BERT, ...equalHeads(64, 2, 4, 128) },
  'tiny-xlm-roberta': {
    ...XLM,
    ...equalHeads(64, 2, 4, 128),
    vocabulary: 32_000,
    positions: 1026,
    longest: 1024,
  },
  'tiny-modernbert': {
    ...MODERN,
    ...equalHeads(64, 4, 4, 96),
    vocabulary: 32_000,
    positions: 1024,
    longest: 1024,
    window: { reach: 8, globalEvery: 3 },
  },
  'tiny-qwen3': {
    ...QWEN,
    hidden: 64,
    layers: 2,
    heads: 4,
    keyHeads: 2,
    headWidth: 32,
    inner: 128,
    vocabulary: 32_000,
    positions: 2048,
    longest: 2048,
  },
} as const satisfies Record<string, Shape>

export type ShapeName = keyof typeof SHAPES

export function isShapeName(name: string): name is ShapeName {
  return Object.hasOwn(SHAPES, name)
}

/** A shape by its name, with fewer layers where told. Throws where the name is none, listing those that are. */
export function findShape(name: string, layers?: number): Shape {
  if (!isShapeName(name)) {
    throw new Error(`shape: "${name}" is unknown; there are ${Object.keys(SHAPES).join(', ')}`)
  }
  const shape: Shape = SHAPES[name]
  return layers === undefined ? shape : { ...shape, layers }
}
