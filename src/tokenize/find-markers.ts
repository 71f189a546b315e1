import type { Tokenizer } from 'tokenizers'
import { AddedToken } from 'tokenizers'

/**
 * What stands before texts, or its first word, becomes a token that is found whole in a text, where the vocabulary knows it and
 * a text would break it into pieces: so a marker that was put between ids when the model was trained can be put before a text
 * (sentence-transformers 6.2, MultiVectorEncoder).
 */
export async function findMarkers(native: Tokenizer, markers: readonly string[]): Promise<void> {
  for (const marker of markers) {
    const [word] = marker.trim().split(/\s+/)
    if (!word) continue
    const known = [marker, word].find((candidate) => native.tokenToId(candidate) !== null)
    if (known === undefined || (await isWhole(native, known))) continue
    native.addAddedTokens([new AddedToken(known, true, { normalized: false })])
  }
}

/** One that is whole already stays as it is: found in any text, it would also be cut out of longer words. */
async function isWhole(native: Tokenizer, token: string): Promise<boolean> {
  const encoding = await native.encode(token, null, { addSpecialTokens: false })
  return encoding.getLength() === 1 && encoding.getIds()[0] === native.tokenToId(token)
}
