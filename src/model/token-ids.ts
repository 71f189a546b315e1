import { z } from 'zod'
import { readFile } from 'node:fs/promises'
import { parseJson } from './json-file.ts'
import type { TokenizerSpec } from './spec.ts'

const TokenizerJson = z.looseObject({
  model: z.looseObject({ vocab: z.unknown() }),
  added_tokens: z.array(z.looseObject({ id: z.int(), content: z.string() })).nullish(),
})

/** Finds the id of a token by its name; undefined for one that the vocabulary lacks. */
export type FindToken = (token: string) => number | undefined

/** Reads the whole vocabulary, which takes a tenth of a second where it is large. Throws `model_invalid`. */
export async function readTokenIds({ file, content }: TokenizerSpec): Promise<FindToken> {
  const text = content ?? (await readFile(file, 'utf8'))
  const { model, added_tokens: added } = parseJson(text, TokenizerJson, 'tokenizer.json')
  return (token) => added?.find((entry) => entry.content === token)?.id ?? findIn(model.vocab, token)
}

/** A table of ids, or of Unigram a list of pieces with their scores. */
function findIn(vocabulary: unknown, token: string): number | undefined {
  if (Array.isArray(vocabulary)) {
    const index = vocabulary.findIndex((entry) => Array.isArray(entry) && entry[0] === token)
    return index < 0 ? undefined : index
  }
  if (typeof vocabulary !== 'object' || vocabulary === null || !Object.hasOwn(vocabulary, token))
    return undefined
  const id: unknown = (vocabulary as Record<string, unknown>)[token]
  return typeof id === 'number' ? id : undefined
}
