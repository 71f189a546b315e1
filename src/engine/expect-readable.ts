import { ServerError } from '../errors.ts'

/** Characters of one text: far above what any model reads. One without a space is read to its end, a second or two. */
export const MAX_TEXT_CHARACTERS = 1_048_576

/** Throws `invalid_request` where there is no text, or one is too long to look at; `noun` is what the error calls it. */
export function expectReadable(texts: readonly string[], noun: string): void {
  if (texts.length === 0)
    throw new ServerError('invalid_request', `there is no ${noun}; at least one is needed`)
  const article = /^[aeiou]/.test(noun) ? 'an' : 'a'
  for (const [index, text] of texts.entries()) {
    if (text.length <= MAX_TEXT_CHARACTERS) continue
    throw new ServerError(
      'invalid_request',
      `${noun} ${index} has ${text.length} characters; ${article} ${noun} may have ${MAX_TEXT_CHARACTERS}`,
    )
  }
}
