/** Of short texts; of a longer one, it alone. A core reads so many in a quarter of a second. */
const CHARACTERS_AT_A_TIME = 262_144
const TEXTS_AT_A_TIME = 1024

/** The texts from `from` on that are read together, each behind `prefix`; at least one where there is one. */
export function takeTexts(texts: readonly string[], from: number, prefix = ''): string[] {
  let characters = 0
  const taken = texts.slice(from, from + TEXTS_AT_A_TIME).map((text) => prefix + text)
  const tooMany = taken.findIndex((text, index) => {
    characters += text.length
    return index > 0 && characters > CHARACTERS_AT_A_TIME
  })
  return tooMany < 0 ? taken : taken.slice(0, tooMany)
}
