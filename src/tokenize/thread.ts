/** The tokenizer thread: reading a tokenizer.json and fetching ids from the native library block the thread that calls. */
import { Tokenizer, lowercase, sequenceNormalizer } from 'tokenizers'
import type { Answer } from '../base/thread-server.ts'
import { serveCalls } from '../base/thread-server.ts'
import { ServerError, messageOf } from '../errors.ts'
import type { TokenizerSpec } from '../model/spec.ts'
import type { Wanted } from './encode-long.ts'
import { encodeText, encodeTexts } from './encode-long.ts'
import type { RowOptions, TokenizeCalls, TokenizedRows } from './protocol.ts'
import { pairRows, singleRows } from './rows.ts'
import type { Template } from './template.ts'
import { learnTemplate } from './template.ts'

interface OpenTokenizer {
  readonly native: Tokenizer
  readonly template: Template
  /** Tokens of prompts met so far. */
  readonly promptLengths: Map<string, number>
}

/** More than any template of a pair has. */
const MOST_SPECIAL_TOKENS = 8

const tokenizers = new Map<number, OpenTokenizer>()

serveCalls<TokenizeCalls>({
  async open({ tokenizer, spec }) {
    const opened = await open(spec)
    tokenizers.set(tokenizer, opened)
    return { reply: { joinsPairs: opened.template.pair !== undefined } }
  },

  async texts({ tokenizer, texts, prompt, options }) {
    const opened = find(tokenizer)
    const full = prompt.text === '' ? texts : texts.map((text) => prompt.text + text)
    const encoded = await encodeTexts(opened.native, full, wanted(options))
    const unpooledTokens = prompt.pooled ? 0 : await promptLength(opened, prompt.text)
    return move(singleRows(encoded, opened.template.single, unpooledTokens, options))
  },

  async query({ tokenizer, text, options }) {
    const encoded = await encodeText(find(tokenizer).native, text, { ...wanted(options), whole: true })
    const ids = Int32Array.from(encoded.ids)
    return { reply: { ...encoded, ids }, transfer: [ids.buffer] }
  },

  async pairs({ tokenizer, first, second, options }) {
    const { native, template } = find(tokenizer)
    if (template.pair === undefined)
      throw new ServerError('wrong_task', 'the tokenizer of this model does not join pairs')
    const whole = { ...wanted(options), whole: true }
    const firsts =
      'ids' in first ? [{ ...first, ids: [...first.ids] }] : await encodeTexts(native, first, whole)
    // Where both sides of a pair are cut, their true lengths tell which of them keeps one token more.
    const bothCut = firsts.some(({ length }) => 2 * length >= options.maxTokens - MOST_SPECIAL_TOKENS)
    const seconds = await encodeTexts(native, second, bothCut ? whole : wanted(options))
    return move(pairRows(firsts, seconds, template.pair, options))
  },
})

async function open(spec: TokenizerSpec): Promise<OpenTokenizer> {
  let native: Tokenizer
  try {
    native = Tokenizer.fromFile(spec.file)
  } catch (error) {
    throw new ServerError(
      'model_invalid',
      `tokenizer.json cannot be used: ${messageOf(error).replace('from file', 'from file: ')}`,
      {
        cause: error,
      },
    )
  }
  // A file may carry a limit and fixed padding of its own; the model's pipeline overrides both.
  native.disableTruncation()
  native.disablePadding()
  if (spec.lowerCase) {
    const own = native.getNormalizer()
    native.setNormalizer(own === null ? lowercase() : sequenceNormalizer([lowercase(), own]))
  }
  return { native, template: await learnTemplate(native), promptLengths: new Map() }
}

function find(tokenizer: number): OpenTokenizer {
  const opened = tokenizers.get(tokenizer)
  if (opened === undefined) throw new ServerError('internal', `tokenizer ${tokenizer} is not open`)
  return opened
}

function wanted({ truncate, maxTokens }: RowOptions): Wanted {
  return { needed: maxTokens, keep: truncate === 'left' ? 'left' : 'right' }
}

/** Ids of the prompt alone, less one for a closing special token (sentence-transformers 6.2, Transformer module). */
async function promptLength(
  { native, template, promptLengths }: OpenTokenizer,
  prompt: string,
): Promise<number> {
  if (prompt === '') return 0
  const known = promptLengths.get(prompt)
  if (known !== undefined) return known
  const length = (await native.encode(prompt)).getLength() - Math.min(1, template.single.after.length)
  promptLengths.set(prompt, length)
  return length
}

function move(rows: TokenizedRows): Answer<TokenizedRows> {
  const { ids, bounds, typeStarts, unpooledTokens } = rows
  return { reply: rows, transfer: [ids.buffer, bounds.buffer, typeStarts.buffer, unpooledTokens.buffer] }
}
