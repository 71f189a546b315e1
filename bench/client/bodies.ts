/** Requests of a lane, written before the clock starts. */
import { mixedLengths, seededRandom, textOf } from '../harness.ts'
import type { Api, Lane, LoadAsk, TextKind } from './protocol.ts'

export interface Body {
  readonly bytes: Buffer
  readonly texts: number
  readonly tokens: number
}

/** A text and how many tokens the bundled vocabulary makes of it. */
export interface Text {
  readonly text: string
  readonly tokens: number
}

/**
 * So many that no text is under way twice, whatever the number of connections: a server that computes equal texts once would look
 * faster than it is.
 */
const MOST_TEXTS = 2048
const QUERY_TOKENS = 12

export function makeTexts(kind: TextKind, count: number, random: () => number): Text[] {
  return lengthsOf(kind, count, random).map((tokens) => ({ text: textOf(tokens, random), tokens }))
}

function lengthsOf(kind: TextKind, count: number, random: () => number): number[] {
  if (kind === 'mixed') return mixedLengths(count, random)
  const [least, most] = kind === 'short' ? [5, 15] : [240, 256]
  return Array.from({ length: count }, () => least + Math.floor(random() * (most - least + 1)))
}

/** Sent in turn, and again from the first. */
export function makeBodies(lane: Lane, ask: LoadAsk): Body[] {
  const { textsPerRequest: size, task } = lane
  const random = seededRandom(ask.seed)
  const wanted = 'requests' in lane.until ? lane.until.requests : Infinity
  const count = Math.max(lane.connections, Math.min(wanted, Math.ceil(MOST_TEXTS / size)))
  const texts = makeTexts(lane.texts, count * size, random)
  return Array.from({ length: count }, (_, index) => {
    const own = texts.slice(index * size, (index + 1) * size)
    return task === 'embed' ? embedBody(own, ask) : rerankBody(own, ask.models.rerank, random)
  })
}

/** Numbers as JSON in the answer, which all servers can: none is asked for another encoding. */
function embedBody(texts: readonly Text[], { api, models }: LoadAsk): Body {
  const input = texts.length === 1 ? texts[0]?.text : texts.map(({ text }) => text)
  const body = api === 'tei' ? { inputs: input } : { model: models.embed, input }
  return { bytes: encode(body), texts: texts.length, tokens: sumTokens(texts) }
}

function rerankBody(texts: readonly Text[], model: string, random: () => number): Body {
  const query = textOf(QUERY_TOKENS, random)
  const body = { model, query, documents: texts.map(({ text }) => text) }
  // A pair shares the special token at its start.
  const tokens = sumTokens(texts) + texts.length * (QUERY_TOKENS - 1)
  return { bytes: encode(body), texts: texts.length, tokens }
}

/** Reranked by Cohere's body alone: a server of Text Embeddings Inference holds one model. */
export function pathOf(api: Api, task: Lane['task']): string {
  if (task === 'rerank') return '/v1/rerank'
  return api === 'tei' ? '/embed' : '/v1/embeddings'
}

function sumTokens(texts: readonly Text[]): number {
  return texts.reduce((sum, { tokens }) => sum + tokens, 0)
}

function encode(body: object): Buffer {
  return Buffer.from(JSON.stringify(body))
}
