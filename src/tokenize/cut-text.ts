import type { Tokenizer } from 'tokenizers'
import type { TruncationSide } from '../model/spec.ts'
import { partsOf } from './token-columns.ts'

/** Characters looked at for each token that can stay, and the least of them; twice as many where they give too few tokens. */
const CHARACTERS_PER_TOKEN = 16
const LEAST_WINDOW = 4096

/** The part of a text that its first, or last, `tokens` tokens stand for; the whole text where it has no more. */
export async function cutText(
  native: Tokenizer,
  text: string,
  { tokens, keep }: { readonly tokens: number; readonly keep: TruncationSide },
): Promise<string> {
  if (tokens <= 0) return ''
  for (let size = LEAST_WINDOW + CHARACTERS_PER_TOKEN * tokens; ; size *= 2) {
    const window = keep === 'right' ? text.slice(0, size) : text.slice(Math.max(0, text.length - size))
    const encoding = await native.encode(window, null, { addSpecialTokens: false })
    const count = encoding.getLength()
    if (count <= tokens) {
      if (window.length === text.length) return text
      continue
    }
    const offsets = encoding.getOffsets()
    const partOf = partsOf(window)
    if (keep === 'right') return partOf(0, offsets[tokens - 1]?.[1] ?? 0)
    return partOf(offsets[count - tokens]?.[0] ?? 0, window.length)
  }
}
