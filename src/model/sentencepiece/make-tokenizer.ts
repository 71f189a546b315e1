/** What tokenizer.json would hold, made of a model of SentencePiece, as transformers 5.23 makes it. */
import { basename, join } from 'node:path'
import { z } from 'zod'
import { ServerError } from '../../errors.ts'
import { readJson, readWhole } from '../json-file.ts'
import type { Piece as Token } from '../post-processor.ts'
import type { Role } from '../special-tokens.ts'
import { readSpecialTokens } from '../special-tokens.ts'
import type { PieceModel } from './read-pieces.ts'
import { readPieces } from './read-pieces.ts'
import type { PieceRecipe } from './recipes.ts'

/** The model of a class without one of its own, and whichever class it is, read first. */
export const COMMON_FILE = 'tokenizer.model'

const Settings = z.looseObject({
  add_prefix_space: z.boolean().nullish(),
  add_bos_token: z.boolean().nullish(),
  add_eos_token: z.boolean().nullish(),
  do_lower_case: z.boolean().nullish(),
  keep_accents: z.boolean().nullish(),
  split_by_punct: z.boolean().nullish(),
  legacy: z.boolean().nullish(),
  extra_ids: z.int().nonnegative().nullish(),
  added_tokens_decoder: z.record(z.string(), z.looseObject({ content: z.string() })).nullish(),
})

type Settings = z.infer<typeof Settings>

export interface PieceTokenizer {
  /** The model's absolute path. */
  readonly file: string
  /** All but its version. */
  readonly content: object
}

/**
 * Undefined where the folder has no model that the class reads. Throws `model_invalid` for one that is broken,
 * `model_unsupported` for one that is not of the class's kind.
 */
export async function makePieceTokenizer(
  folder: string,
  { name: className, recipe }: { readonly name: string; readonly recipe: PieceRecipe },
): Promise<PieceTokenizer | undefined> {
  const found = await findModel(folder, [COMMON_FILE, recipe.file])
  if (found === undefined) return undefined
  const { file, bytes } = found
  const name = basename(file)
  const model = readPieces(bytes, name)
  if (recipe.algorithm !== undefined && model.algorithm !== recipe.algorithm)
    throw new ServerError(
      'model_unsupported',
      `${name} is a ${model.algorithm} model; ${className} is made of ${recipe.algorithm}`,
    )
  const settings = (await readJson(join(folder, 'tokenizer_config.json'), Settings)) ?? {}
  if (recipe.algorithm === undefined) expectSameTokens(model, settings, name)
  const added = addedPieces(model)
  const named = await readSpecialTokens(
    folder,
    recipe.defaults(model),
    recipe.extra?.(settings, added) ?? added,
  )
  const source = { model, settings, roles: named.roles }
  const vocabulary = recipe.vocabulary(source)
  const tokens = named.addTo(new Map(vocabulary.map(([content], id) => [content, id])))
  const find = (role: Role): Token => {
    const token = tokens.find(({ content }) => content === named.roles[role])
    if (token === undefined) throw new ServerError('model_invalid', `${name}: there is no ${role}`)
    return [token.content, token.id]
  }
  const content = {
    added_tokens: tokens,
    ...recipe.parts(source, vocabulary),
    post_processor: recipe.postProcessor(find, source),
  }
  return { file, content }
}

/** Without a class, transformers gives pieces the names that tokenizer_config.json has for their ids, or fails. */
function expectSameTokens({ algorithm, pieces }: PieceModel, settings: Settings, name: string): void {
  const listed = Object.entries(settings.added_tokens_decoder ?? {})
  const other = listed.find(
    ([id, { content }]) => algorithm === 'unigram' || (pieces[Number(id)]?.content ?? content) !== content,
  )
  if (other === undefined) return
  const [id, { content }] = other
  throw new ServerError(
    'model_unsupported',
    `${name} has ${JSON.stringify(pieces[Number(id)]?.content)} as token ${id}, and tokenizer_config.json ${JSON.stringify(content)} in added_tokens_decoder; a tokenizer.json is needed`,
  )
}

function addedPieces({ pieces }: PieceModel) {
  return pieces
    .filter(({ kind }) => kind !== 'plain')
    .map(({ content, kind }) => ({ content, special: kind === 'control', normalized: false }))
}

/** The first of the files that is there. */
async function findModel(
  folder: string,
  names: readonly string[],
): Promise<{ readonly file: string; readonly bytes: Buffer } | undefined> {
  for (const name of names) {
    const file = join(folder, name)
    const bytes = await readWhole(file)
    if (bytes !== undefined) return { file, bytes }
  }
  return undefined
}
