/** Fields that many dialects share, and how leniently they are read: null, and often 0, is what clients send for nothing. */
import { z } from 'zod'
import type { PromptChoice, Truncation } from '../../task.ts'

/** Characters: it is echoed in the answer. */
export const MAX_MODEL_NAME = 256
const MODEL_NAME = z.string().max(MAX_MODEL_NAME).nullish()

export const MODEL_FIELDS = { model: MODEL_NAME, model_id: MODEL_NAME }

/** vLLM, Cohere: less is earlier. Read before any dialect, with the header of that name; what is no priority is ignored. */
export const PRIORITY_FIELD = {
  priority: z
    .unknown()
    .optional()
    .meta({ anyOf: [{ type: 'integer' }, { enum: ['high', 'normal', 'low'] }] }),
}

/** `"3"` is 3, as Infinity's server takes it. */
export const COUNT = z
  .preprocess(
    (value) => (typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value),
    z.int().nonnegative().nullish(),
  )
  .optional()

/** `"true"` is true, and Python's `"True"`: some clients send all their settings as text. */
export const SWITCH = z
  .preprocess((value) => {
    const word = typeof value === 'string' ? value.toLowerCase() : value
    return word === 'true' ? true : word === 'false' ? false : value
  }, z.boolean().nullish())
  .optional()

const SIDE = lowerCase(z.enum(['left', 'right']).nullish())
const TRUNCATE = lowerCase(
  z.union([z.boolean(), z.enum(['true', 'false', 'none', 'start', 'end'])]).nullish(),
)

/** vLLM's -1: as much as the model takes. */
const TOKEN_LIMIT = z.preprocess((value) => (value === -1 ? null : value), COUNT).optional()

export const TRUNCATION_FIELDS = {
  /** Jina, TEI: whether; Cohere, NVIDIA: which end goes. */
  truncate: TRUNCATE,
  /** Voyage. */
  truncation: TRUNCATE,
  truncation_direction: SIDE,
  truncation_side: SIDE,
  max_tokens: TOKEN_LIMIT,
  truncate_prompt_tokens: TOKEN_LIMIT,
}

export const PROMPT_FIELDS = {
  /** sentence-transformers and TEI: a name that the model must have, or the words themselves. */
  prompt_name: z.string().max(256).nullish(),
  prompt: z.string().nullish(),
  /** Jina; Cohere, Voyage and NVIDIA: what the texts are for, if the model makes a difference. */
  task: z.string().max(256).nullish(),
  input_type: z.string().max(256).nullish(),
}

const MOST_ITEMS = 64

/** A longer list is refused before its items are looked at: of settings it is a mistake, and an error names each wrong item. */
export function shortList<T extends z.ZodType>(schema: T) {
  return z
    .preprocess((value, context) => {
      if (!Array.isArray(value) || value.length <= MOST_ITEMS) return value
      context.addIssue({ code: 'custom', message: `it may have at most ${MOST_ITEMS} items` })
      return z.NEVER
    }, schema)
    .optional()
}

function lowerCase<T extends z.ZodType>(schema: T) {
  return z.preprocess((value) => (typeof value === 'string' ? value.toLowerCase() : value), schema).optional()
}

type FieldsOf<T extends z.ZodRawShape> = z.output<z.ZodObject<T>>

export function readTruncation(fields: FieldsOf<typeof TRUNCATION_FIELDS>): {
  readonly truncate: Truncation | undefined
  readonly maxTokens: number | undefined
} {
  const { truncate, truncation, truncation_direction, truncation_side } = fields
  const asked = truncate ?? truncation
  const side = truncation_direction ?? truncation_side ?? undefined
  const isOff = asked === false || asked === 'false' || asked === 'none'
  const named = asked === 'start' ? 'left' : asked === 'end' ? 'right' : undefined
  return {
    truncate: isOff ? 'none' : (named ?? side),
    maxTokens: fields.max_tokens || fields.truncate_prompt_tokens || undefined,
  }
}

/** The model as the client spelt it, in the path or a field; undefined: it did not. */
export function readModel(
  { model, model_id }: FieldsOf<typeof MODEL_FIELDS>,
  pathModel: string | undefined,
): string | undefined {
  return pathModel ?? (model || model_id || undefined)
}

export function readPrompt(fields: FieldsOf<typeof PROMPT_FIELDS>): PromptChoice | undefined {
  const { prompt, prompt_name, task, input_type } = fields
  const purpose = task || input_type
  const besides = purpose ? { task: purpose } : {}
  if (typeof prompt === 'string') return { text: prompt, ...besides }
  if (prompt_name) return { name: prompt_name, ifUnknown: 'refuse', ...besides }
  return purpose ? { name: purpose, ifUnknown: 'ignore' } : undefined
}

/** The first that a client gave. */
export function firstGiven<T>(...values: readonly (T | null | undefined)[]): T | undefined {
  for (const value of values) if (value !== undefined && value !== null) return value
  return undefined
}
