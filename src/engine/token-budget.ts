import { ServerError } from '../errors.ts'

/** Numbers in the token vectors of one request: 16 MB as they are, several times that as JSON; many may be under way. */
const MAX_TOKEN_NUMBERS = 4_194_304

export interface TokenCount {
  /** What errors call a text. */
  readonly noun: string
  /** The texts that were tokenized so far, and have `tokenCount` tokens. */
  readonly textCount: number
  readonly tokenCount: number
  /** Numbers of a token's vector. */
  readonly width: number
}

/** Throws `request_too_large`. */
export function expectTokenBudget({ noun, textCount, tokenCount, width }: TokenCount): void {
  if (tokenCount * width <= MAX_TOKEN_NUMBERS) return
  const texts = textCount === 1 ? `${noun} 0 has` : `${pluralOf(noun)} 0 to ${textCount - 1} have`
  throw new ServerError(
    'request_too_large',
    `${texts} ${tokenCount} tokens of ${width} numbers each; the token vectors of a request may hold ${MAX_TOKEN_NUMBERS} numbers`,
  )
}

function pluralOf(noun: string): string {
  return `${noun.replace(/y$/, 'ie')}s`
}
