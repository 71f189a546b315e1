/** How one setting is read, whatever it is. */
import type { Complain } from './reading.ts'
import type { Setting } from './settings.ts'

export type Texts = Readonly<Record<string, string | undefined>>

/** Answers the fallback for what is unset, and for what is wrong once `complain` knows. */
export function readRow<T>(row: Setting<T>, texts: Texts, complain: Complain): T {
  const name = row.names.find((name) => !isBlank(texts[name]))
  if (name === undefined) return row.fallback
  const value = row.read((texts[name] ?? '').trim(), (problem) => complain(`${name}: ${problem}`))
  return value === undefined ? row.fallback : value
}

export function isBlank(text: string | undefined): boolean {
  return text === undefined || text.trim() === ''
}

/** Text before and after the first `mark`; nothing after it where the mark is absent. */
export function cutAt(mark: string, text: string): [before: string, after?: string] {
  const index = text.indexOf(mark)
  return index < 0 ? [text] : [text.slice(0, index), text.slice(index + mark.length)]
}
