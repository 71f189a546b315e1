/** What clients of other languages insist on, transcribed: the field that they cannot do without, and its exact type. */
import { z } from 'zod'

const count = z.int().nonnegative()
const usage = z.looseObject({ prompt_tokens: count, total_tokens: count })

/** infinity_client: `object` may be missing, but not different. */
const infinityUsage = { model: z.string(), usage, id: z.string().optional(), created: z.int().optional() }

/** LiteLLM's RerankResponse: a document is an object with a text or is not there; null and a string both fail. */
const litellmResult = z.looseObject({
  index: z.int(),
  relevance_score: z.number(),
  document: z.looseObject({ text: z.string() }).optional(),
})
const litellmMeta = z.looseObject({
  api_version: z.looseObject({}).optional(),
  billed_units: z.looseObject({ search_units: count.nullish(), total_tokens: count.nullish() }).optional(),
  tokens: z.looseObject({ input_tokens: count.nullish(), output_tokens: count.nullish() }).optional(),
})

/** Errors share no name with a success: LiteLLM and Jina's clients look for these keys first. */
const noError = { error: z.undefined().optional(), detail: z.undefined().optional() }

export const STRICT_PARSERS: Readonly<Record<string, z.ZodType>> = {
  'infinity embeddings': z.looseObject({
    ...infinityUsage,
    ...noError,
    object: z.literal('list').optional(),
    data: z.array(
      z.looseObject({ object: z.literal('embedding'), index: z.int(), embedding: z.array(z.number()) }),
    ),
  }),
  'infinity rerank': z.looseObject({
    ...infinityUsage,
    ...noError,
    object: z.literal('rerank').optional(),
    results: z.array(
      z.looseObject({ index: z.int(), relevance_score: z.number(), document: z.string().nullish() }),
    ),
  }),
  'litellm rerank': z.looseObject({
    ...noError,
    id: z.string().optional(),
    results: z.array(litellmResult),
    meta: litellmMeta.optional(),
    usage: usage.optional(),
  }),
  // its newest wraps the document itself, and so needs the text
  'litellm infinity rerank': z.looseObject({
    ...noError,
    results: z.array(litellmResult.extend({ document: z.string().nullish() })),
    usage: usage.optional(),
  }),
  haystack: z.looseObject({ ...noError, model: z.string(), usage }),
}
