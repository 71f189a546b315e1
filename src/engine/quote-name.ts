const SHOWN_CHARACTERS = 100

/** A name as errors show it: a client's may be of any length. */
export function quoteName(name: string): string {
  return name.length > SHOWN_CHARACTERS ? `"${name.slice(0, SHOWN_CHARACTERS).toWellFormed()}…"` : `"${name}"`
}
