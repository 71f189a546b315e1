/** What parsed JSON turns out to be. */

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Clients send null for what they leave out. */
export function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null
}

const SHOWN_CHARACTERS = 60

/** A value as an error shows it: short, and never a client's whole text. */
export function show(value: unknown): string {
  if (value === undefined) return 'missing'
  if (value === null) return 'null'
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (typeof value === 'object') return 'an object'
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (typeof value !== 'string') return `of type ${typeof value}`
  const text = JSON.stringify(value)
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text
}

/** Whoever walks through a value that a client made, `JSON.stringify` too, runs out of stack some thousand levels down. */
export const MAX_DEPTH = 200

/** Whether lists and objects stand in each other more than `levels` deep. */
export function isDeeper(value: unknown, levels: number): boolean {
  const open: { readonly value: unknown; readonly depth: number }[] = [{ value, depth: 1 }]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { value, depth } = next
    if (typeof value !== 'object' || value === null) continue
    if (depth > levels) return true
    for (const inner of Array.isArray(value) ? value : Object.values(value)) {
      if (typeof inner === 'object') open.push({ value: inner, depth: depth + 1 })
    }
  }
  return false
}
