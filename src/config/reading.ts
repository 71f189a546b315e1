/** How a text becomes a value, and what is said where it does not. */
import { z } from 'zod'

/** Text → value, or `undefined` after it has told `complain` why not. */
export type Reading<T> = (text: string, complain: Complain) => T | undefined
export type Complain = (problem: string) => void

export function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)
}

/** `a; b;` → `['a', 'b']`: only empty entries at the end are dropped. */
export function splitList(text: string): string[] {
  const entries = text.split(';').map((entry) => entry.trim())
  while (entries.at(-1) === '') entries.pop()
  return entries
}

export function value<T>(schema: z.ZodType<T>, allowed: string, shown = quote): Reading<T> {
  return (text, complain) => {
    const parsed = schema.safeParse(text)
    if (parsed.success) return parsed.data
    complain(`${shown(text)} is not ${allowed}`)
    return undefined
  }
}

export function oneOf<const T extends readonly string[]>(...words: T): Reading<T[number]> {
  return value(z.string().toLowerCase().pipe(z.enum(words)), `one of ${words.join(', ')}`)
}

export function wholeNumber(min: number, max: number, or = ''): Reading<number> {
  const digits = z.string().regex(/^\d+$/).transform(Number)
  return value(digits.pipe(z.number().min(min).max(max)), `${or}a whole number from ${min} to ${max}`)
}

export function listOf<T>(read: Reading<T>): Reading<readonly [T, ...T[]]> {
  return (text, complain) => {
    const entries = splitList(text)
    const values: T[] = []
    for (const [index, entry] of entries.entries()) {
      if (entry === '') complain(`entry ${index + 1} is empty`)
      const item = entry === '' ? undefined : read(entry, complain)
      if (item !== undefined) values.push(item)
    }
    const [first, ...rest] = values
    return first === undefined || values.length < entries.length ? undefined : [first, ...rest]
  }
}

export function orWords<const W extends string, T>(words: readonly W[], read: Reading<T>): Reading<W | T> {
  return (text, complain) => words.find((word) => word === text.toLowerCase()) ?? read(text, complain)
}
