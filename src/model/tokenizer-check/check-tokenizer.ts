/**
 * What the library of tokenizers does not check itself: it ends the process, at the start or at a client's text, where a
 * tokenizer.json leads it out of bounds.
 */
import { ServerError, messageOf } from '../../errors.ts'
import { readWhole } from '../json-file.ts'
import { checkCharsmap } from '../sentencepiece/check-charsmap.ts'
import { membersOf, objectsIn, parseOnce } from './json-members.ts'

type Part = Readonly<Record<string, unknown>>
type Fail = (what: string) => Error
type Read = <T>(reading: () => T) => T

/** Large, and parsed only for the checks that need them. */
const LARGE: ReadonlySet<string> = new Set(['vocab', 'merges'])

const SEQUENCES: readonly string[] = ['normalizers', 'pretokenizers', 'processors', 'decoders']

/** Refuses a tokenizer.json that the library cannot stand. Throws `model_invalid`. */
export async function checkTokenizerJson(file: string): Promise<void> {
  const bytes = await readWhole(file)
  if (bytes === undefined) throw new ServerError('model_invalid', 'tokenizer.json is missing')
  checkTokenizer(bytes, (what) => new ServerError('model_invalid', `tokenizer.json ${what}`))
}

function checkTokenizer(bytes: Buffer, fail: Fail): void {
  const read: Read = (reading) => {
    try {
      return reading()
    } catch (error) {
      throw fail(`cannot be used: ${messageOf(error)}`)
    }
  }
  const { own, inner } = read(() => membersOf(bytes, 'model'))
  const partsOf = (name: string) => {
    const value = own.get(name)
    const parts = value === undefined ? [] : objectsIn(read(() => parseOnce(value)))
    for (const part of parts) expectNamedFields(part, fail)
    return parts
  }
  for (const part of partsOf('normalizer')) checkNormalizer(part, fail)
  for (const part of partsOf('pre_tokenizer')) checkPreTokenizer(part, fail)
  for (const part of partsOf('post_processor')) checkTemplate(part, fail)
  for (const part of partsOf('decoder')) checkDecoder(part, fail)
  checkModel(inner, read, fail)
}

/** The library takes a list of fields for a part of a sequence, too: nothing would tell what it is. */
function expectNamedFields(part: Part, fail: Fail): void {
  for (const key of SEQUENCES) {
    const parts = part[key]
    if (Array.isArray(parts) && parts.some(Array.isArray))
      throw fail(`has a list in its ${key}, where an object is expected`)
  }
}

function checkNormalizer({ type, precompiled_charsmap: rules }: Part, fail: Fail): void {
  if (type !== 'Precompiled' && rules === undefined) return
  if (rules === undefined) throw fail('has a Precompiled normalizer without rules')
  if (typeof rules !== 'string') throw fail('has rules of normalization that are no text')
  const charsmap = Buffer.from(rules, 'base64')
  if (charsmap.toString('base64') !== rules) throw fail('has rules of normalization that are not base64')
  checkCharsmap(charsmap, fail)
}

function checkPreTokenizer({ length }: Part, fail: Fail): void {
  if (length === 0) throw fail('cuts texts into pieces of FixedLength 0; at least 1 is needed')
}

/** Each special token of a template must be described, and a template of one text has no second. */
function checkTemplate({ single, pair, special_tokens: described }: Part, fail: Fail): void {
  const singles = piecesOf(single)
  const second = singles.some((piece) => idOf(piece['Sequence']) === 'B')
  if (second) throw fail('has a template of one text that names text B')
  for (const piece of [...singles, ...piecesOf(pair)]) {
    const id = idOf(piece['SpecialToken'])
    if (id === undefined || (isPart(described) && Object.hasOwn(described, id))) continue
    throw fail(`has a template with special token ${JSON.stringify(id)}, which its special_tokens lack`)
  }
}

function piecesOf(template: unknown): readonly Part[] {
  return Array.isArray(template) ? template.filter(isPart) : []
}

/** The library takes fields in a list as well, in their order. */
function idOf(piece: unknown): string | undefined {
  const id: unknown = Array.isArray(piece) ? piece[0] : isPart(piece) ? piece['id'] : undefined
  return typeof id === 'string' ? id : undefined
}

function checkDecoder({ stop }: Part, fail: Fail): void {
  if (typeof stop === 'number' && stop > 0)
    throw fail(
      `has a Strip decoder with a stop of ${stop}; only 0 can be used, as shorter tokens are not spared`,
    )
}

function checkModel(members: ReadonlyMap<string, Buffer>, read: Read, fail: Fail): void {
  const settings = new Map<string, unknown>()
  for (const [key, value] of members)
    if (!LARGE.has(key))
      settings.set(
        key,
        read(() => parseOnce(value)),
      )
  const large = (key: string): unknown =>
    read(() => JSON.parse(members.get(key)?.toString('utf8') ?? 'null') as unknown)
  const prefix = settings.get('continuing_subword_prefix')
  const unknown = settings.get('unk_token')
  if (members.has('merges')) {
    if (typeof prefix === 'string' && prefix !== '') checkMerges(prefix, large('merges'), fail)
  } else if (typeof unknown === 'string') checkUnknown(unknown, large('vocab'), fail)
}

/** The library cuts the prefix off each merge's second part. */
function checkMerges(prefix: string, merges: unknown, fail: Fail): void {
  if (!Array.isArray(merges)) return
  for (const pair of merges as readonly unknown[]) {
    const parts: unknown = typeof pair === 'string' ? pair.split(' ') : pair
    const second: unknown = Array.isArray(parts) ? parts[1] : undefined
    if (typeof second !== 'string' || Buffer.byteLength(second) >= Buffer.byteLength(prefix)) continue
    throw fail(
      `has a merge with ${JSON.stringify(second)}, which is shorter than the continuing_subword_prefix ${JSON.stringify(prefix)}`,
    )
  }
}

/** Of WordPiece and WordLevel: a text with an unknown word could not be read. */
function checkUnknown(unknown: string, vocabulary: unknown, fail: Fail): void {
  if (isPart(vocabulary) && !Object.hasOwn(vocabulary, unknown))
    throw fail(`has the unk_token ${JSON.stringify(unknown)}, which its vocabulary lacks`)
}

function isPart(value: unknown): value is Part {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
