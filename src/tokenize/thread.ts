/** The tokenizer thread: reading a tokenizer.json and fetching ids from the native library block the thread that calls. */
import { Tokenizer, lowercase, sequenceNormalizer } from 'tokenizers'
import type { Answer } from '../base/thread-server.ts'
import { serveCalls } from '../base/thread-server.ts'
import { ServerError, messageOf } from '../errors.ts'
import type { TokenizerSpec } from '../model/spec.ts'
import { checkTokenizerJson } from '../model/tokenizer-check/check-tokenizer.ts'
import { chunkRow } from './chunk-row.ts'
import type { Wanted } from './encode-long.ts'
import { encodeText, encodeTexts } from './encode-long.ts'
import { findMarkers } from './find-markers.ts'
import type { Vocabulary } from './id-lists.ts'
import { makeVocabulary, splitLists } from './id-lists.ts'
import { PromptLengths } from './prompt-lengths.ts'
import { PromptedPairs } from './prompted-rows.ts'
import type { RowOptions, TokenizeCalls, TokenizedRows } from './protocol.ts'
import { pairRows, rowLimit, singleRows } from './rows.ts'
import type { Template } from './template.ts'
import { BARE, learnTemplate } from './template.ts'
import { tokenColumns } from './token-columns.ts'

interface OpenTokenizer {
  readonly native: Tokenizer
  readonly template: Template
  readonly promptLengths: PromptLengths
  /** Of a model that is asked about pairs. */
  readonly prompted: PromptedPairs | undefined
  /** Once ids were to be decoded. */
  vocabulary?: Vocabulary
}

/** More than any template of a pair has. */
const MOST_SPECIAL_TOKENS = 8

const tokenizers = new Map<number, OpenTokenizer>()

serveCalls<TokenizeCalls>({
  async open({ tokenizer, spec }) {
    const opened = await open(spec)
    tokenizers.set(tokenizer, opened)
    return { reply: { joinsPairs: opened.template.pair !== undefined || opened.prompted !== undefined } }
  },

  async texts({ tokenizer, texts, prompt, options }) {
    const opened = find(tokenizer)
    const full = prompt.text === '' ? texts : texts.map((text) => prompt.text + text)
    const encoded = await encodeTexts(opened.native, full, wanted(options))
    const unpooledTokens = prompt.pooled ? 0 : await opened.promptLengths.of(prompt.text)
    const { single } = options.isBare === true ? BARE : opened.template
    return move(singleRows(encoded, single, unpooledTokens, options))
  },

  async query({ tokenizer, text, options }) {
    const encoded = await encodeText(find(tokenizer).native, text, { ...wanted(options), whole: true })
    const ids = Int32Array.from(encoded.ids)
    return { reply: { ...encoded, ids }, transfer: [ids.buffer] }
  },

  async pairs({ tokenizer, first, second, options }) {
    const { native, template, prompted } = find(tokenizer)
    if (prompted !== undefined) {
      if ('ids' in first) throw new ServerError('internal', 'a prompt asks about texts, not about ids')
      return move(await prompted.rows(first, second, options))
    }
    if (template.pair === undefined)
      throw new ServerError('wrong_task', 'the tokenizer of this model does not join pairs')
    const whole = { ...wanted(options), whole: true }
    const firsts =
      'ids' in first ? [{ ...first, ids: [...first.ids] }] : await encodeTexts(native, first, whole)
    // Where both sides of a pair are cut, their true lengths tell which of them keeps one token more.
    const least = rowLimit(options).tokens - MOST_SPECIAL_TOKENS
    const bothCut = firsts.some(({ length }) => 2 * length >= least)
    const seconds = await encodeTexts(native, second, bothCut ? whole : wanted(options))
    return move(pairRows(firsts, seconds, template.pair, options))
  },

  async chunks({ tokenizer, texts, prompt, options }) {
    const row = await chunkRow(find(tokenizer), { texts, prompt }, options)
    return { reply: row, transfer: [...buffersOf(row), row.chunkBounds.buffer] }
  },

  async tokenize({ tokenizer, texts, addSpecialTokens }) {
    const { native, template } = find(tokenizer)
    const options = { addSpecialTokens: addSpecialTokens && template !== BARE }
    const columns = tokenColumns(await native.encodeBatch([...texts], options), native)
    const { ids, bounds, starts, stops } = columns
    return { reply: columns, transfer: [ids.buffer, bounds.buffer, starts.buffer, stops.buffer] }
  },

  async decode({ tokenizer, lists, skipSpecialTokens }) {
    const opened = find(tokenizer)
    opened.vocabulary ??= makeVocabulary('the model', Object.values(opened.native.getVocab(true)))
    const texts = await opened.native.decodeBatch(splitLists(lists, opened.vocabulary), skipSpecialTokens)
    return { reply: { texts } }
  },
})

async function open(spec: TokenizerSpec): Promise<OpenTokenizer> {
  const native = await read(spec)
  // A file may carry a limit and fixed padding of its own; the model's pipeline overrides both.
  native.disableTruncation()
  native.disablePadding()
  if (spec.lowerCase) {
    const own = native.getNormalizer()
    native.setNormalizer(own === null ? lowercase() : sequenceNormalizer([lowercase(), own]))
  }
  await findMarkers(native, spec.markers ?? [])
  const template =
    spec.isBare === true ? BARE : await learnTemplate(native, { passesTypes: spec.passesTypes ?? true })
  expectKnownSpecials(template, spec)
  expectSeenEnd(template, spec)
  const promptLengths = new PromptLengths((prompt) => countPrompt(native, template, prompt))
  const { pairPrompt } = spec
  const prompted = pairPrompt && (await PromptedPairs.open(native, pairPrompt, spec.maxTokens))
  return { native, template, promptLengths, prompted }
}

async function read({ file, content }: TokenizerSpec): Promise<Tokenizer> {
  // What we make ourselves of a vocabulary needs no check.
  if (content === undefined) await checkTokenizerJson(file)
  try {
    return content === undefined ? Tokenizer.fromFile(file) : Tokenizer.fromString(content)
  } catch (error) {
    const what = content === undefined ? 'tokenizer.json' : file.slice(file.lastIndexOf('/') + 1)
    throw new ServerError(
      'model_invalid',
      `${what} cannot be used: ${messageOf(error).replace('from file', 'from file: ')}`,
      { cause: error },
    )
  }
}

/** Tokens that every text gets: with one that the model lacks, no text could be read at all. */
function expectKnownSpecials({ single }: Template, { vocabularySize = Infinity }: TokenizerSpec): void {
  const unknown = [...single.before, ...single.after].find((id) => id >= vocabularySize)
  if (unknown === undefined) return
  throw new ServerError(
    'model_invalid',
    `the tokenizer adds token id ${unknown} to every text; the model knows ids below ${vocabularySize}: the tokenizer does not belong to the weights`,
  )
}

/** A row's end tells which of its tokens are not seen: a text that ended like that would lose its own. */
function expectSeenEnd({ single }: Template, { unseenId }: TokenizerSpec): void {
  if (unseenId === undefined) return
  const last = single.after.at(-1)
  if (last !== undefined && last !== unseenId) return
  const how = last === undefined ? 'puts no token behind a text' : `puts that token behind every text too`
  throw new ServerError(
    'model_unsupported',
    `queries are filled up with token id ${unseenId}, which is not attended to, but the tokenizer ${how}`,
  )
}

function find(tokenizer: number): OpenTokenizer {
  const opened = tokenizers.get(tokenizer)
  if (opened === undefined) throw new ServerError('internal', `tokenizer ${tokenizer} is not open`)
  return opened
}

function wanted(options: RowOptions): Wanted {
  return { needed: rowLimit(options).tokens, keep: options.truncate === 'left' ? 'left' : 'right' }
}

/** Ids of the prompt alone, less one for a closing special token (sentence-transformers 6.2, Transformer module). */
async function countPrompt(native: Tokenizer, { single }: Template, prompt: string): Promise<number> {
  if (prompt === '') return 0
  return (await native.encode(prompt)).getLength() - Math.min(1, single.after.length)
}

function move(rows: TokenizedRows): Answer<TokenizedRows> {
  return { reply: rows, transfer: buffersOf(rows) }
}

function buffersOf({ ids, bounds, typeStarts, unpooledTokens }: TokenizedRows): ArrayBuffer[] {
  return [ids.buffer, bounds.buffer, typeStarts.buffer, unpooledTokens.buffer]
}
