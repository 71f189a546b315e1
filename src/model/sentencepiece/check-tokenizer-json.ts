import { readFile } from 'node:fs/promises'
import { ServerError } from '../../errors.ts'
import { checkCharsmap } from './check-charsmap.ts'

const NORMALIZER = '"Precompiled"'
const RULES = '"precompiled_charsmap"'

/** Blanks, colon and blanks between a key and its value. */
const MOST_BETWEEN = 40

/**
 * Rules of normalization in a tokenizer.json: the library ends the process where they are broken, or are not there. The file,
 * which can be many megabytes, is searched and not parsed. Throws `model_invalid`.
 */
export async function checkTokenizerJson(file: string): Promise<void> {
  const bytes = await readFile(file)
  const fail = (what: string) => new ServerError('model_invalid', `tokenizer.json ${what}`)
  const normalizers = placesOf(NORMALIZER, bytes).filter((at) =>
    /"type"\s*:\s*$/.test(bytes.toString('latin1', Math.max(0, at - MOST_BETWEEN), at)),
  )
  const rules = placesOf(RULES, bytes).map((at) => at + RULES.length)
  if (rules.length < normalizers.length) throw fail('has a Precompiled normalizer without rules')
  for (const at of rules) {
    const before = /^\s*:\s*"/.exec(bytes.toString('latin1', at, at + MOST_BETWEEN))?.[0]
    if (before === undefined) throw fail('has rules of normalization that are no text')
    const start = at + before.length
    const text = bytes.toString('latin1', start, bytes.indexOf('"', start))
    const charsmap = Buffer.from(text, 'base64')
    if (charsmap.toString('base64') !== text) throw fail('has rules of normalization that are not base64')
    checkCharsmap(charsmap, fail)
  }
}

function placesOf(text: string, bytes: Buffer): readonly number[] {
  const places: number[] = []
  for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1)) places.push(at)
  return places
}
