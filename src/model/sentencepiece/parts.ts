/** Parts of a tokenizer.json. */
import { ServerError } from '../../errors.ts'
import { findMerges } from './find-merges.ts'
import type { PieceModel } from './read-pieces.ts'

/** A token's content and its score; its place is its id. */
export type ScoredPiece = readonly [content: string, score: number]

export type PrependScheme = 'always' | 'first' | 'never'

/** What SentencePiece writes in place of a blank. */
const MARK = '▁'

export function precompiled({ charsmap }: PieceModel): object | undefined {
  if (charsmap.length === 0) return undefined
  return { type: 'Precompiled', precompiled_charsmap: charsmap.toString('base64') }
}

export function sequence(
  key: 'normalizers' | 'pretokenizers' | 'decoders',
  steps: readonly (object | undefined)[],
) {
  return { type: 'Sequence', [key]: steps.filter((step) => step !== undefined) }
}

export function replace(pattern: object, content: string) {
  return { type: 'Replace', pattern, content }
}

/** Split at blanks, each word with the mark of a blank before it. */
export function words(scheme: PrependScheme) {
  return sequence('pretokenizers', [{ type: 'WhitespaceSplit' }, metaspace(scheme)])
}

export function metaspace(scheme: PrependScheme, splits = true) {
  return { type: 'Metaspace', replacement: MARK, prepend_scheme: scheme, split: splits }
}

export function unigram(vocabulary: readonly ScoredPiece[], unknownId: number, byteFallback = false) {
  if (unknownId < 0 || unknownId >= vocabulary.length)
    throw new ServerError(
      'model_invalid',
      `piece ${unknownId} stands for what is unknown; the vocabulary has ${vocabulary.length}`,
    )
  return { type: 'Unigram', unk_id: unknownId, vocab: vocabulary, byte_fallback: byteFallback }
}

export function bytePairs(
  vocabulary: readonly ScoredPiece[],
  { unknown, byteFallback }: { readonly unknown: string | undefined; readonly byteFallback: boolean },
) {
  const ids = new Map(vocabulary.map(([content], id) => [content, id]))
  return {
    type: 'BPE',
    dropout: null,
    unk_token: unknown ?? null,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: true,
    byte_fallback: byteFallback,
    ignore_merges: false,
    vocab: Object.fromEntries(ids),
    merges: findMerges(ids),
  }
}

/** How ids become text again, where bytes may be pieces. `strips`: the blank that was set before the text goes. */
export function bytesDecoder({ strips = false }) {
  const decoders = [replace({ String: MARK }, ' '), { type: 'ByteFallback' }, { type: 'Fuse' }]
  return sequence('decoders', [
    ...decoders,
    strips ? { type: 'Strip', content: ' ', start: 1, stop: 0 } : undefined,
  ])
}
