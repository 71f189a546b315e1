/** A head in words, whatever it holds: a head that is added later is shown without a change here. */
import type { Head, TensorRef } from '../../src/model/spec.ts'

/** Of a list, what is shown. */
const SHOWN = 8

/** One line for the head, then one for each of its steps, deeper ones indented. */
export function describeHead(head: Head): string[] {
  return describeObject(head)
}

/** The same of any record, on one line. */
export function describeFields(record: object): string {
  return describeObject(record).join('; ')
}

/** All tensors that a head holds beside those of the body. */
export function tensorsOf(value: unknown): TensorRef[] {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return []
  return isTensor(value) ? [value] : Object.values(value).flatMap(tensorsOf)
}

function describeObject(object: object): string[] {
  const entries = Object.entries(object).filter(([, value]) => value !== undefined && value !== null)
  const lists = entries.filter(([, value]) => isListOfObjects(value))
  const words = entries.filter((entry) => !lists.includes(entry)).map(([key, value]) => describe(key, value))
  const [first = '', ...others] = words
  const isNamed = 'kind' in object && others.length > 0
  const title = isNamed ? `${first}: ${others.join('; ')}` : words.join('; ')
  // The first of several pipelines is also told alone.
  const told = lists.some(([key]) => key === 'routes') ? lists.filter(([key]) => key !== 'steps') : lists
  const lines = told.flatMap(([, list]) => (list as object[]).flatMap(describeObject))
  return [title, ...lines.map((line) => `  ${line}`)]
}

function describe(key: string, value: unknown): string {
  if (key === 'kind') return inWords(String(value)).replaceAll('_', ' ')
  if (ArrayBuffer.isView(value)) return `${inWords(key)} of ${sizeOf(value)} numbers`
  if (isTensor(value)) return `${inWords(key)} [${value.shape.join(', ')}] ${value.dtype}`
  if (value === true) return inWords(key)
  if (value === false) return `not ${inWords(key)}`
  if (Array.isArray(value)) return `${inWords(key)} ${describeList(value)}`
  if (typeof value === 'object') return `${inWords(key)} (${describeFields(value as object)})`
  return `${inWords(key)} ${inQuotes(value)}`
}

function sizeOf(numbers: ArrayBufferView): number {
  return (numbers as Float32Array).length
}

function describeList(list: readonly unknown[]): string {
  const shown = list.slice(0, SHOWN).map(inQuotes).join(', ')
  if (list.length === 0) return 'none'
  return list.length > SHOWN ? `${shown} and ${list.length - SHOWN} more` : shown
}

/** Texts with blanks that count are shown as JSON has them. */
function inQuotes(value: unknown): string {
  const text = String(value)
  return text.trim() === text && !text.includes('\n') ? text : JSON.stringify(text)
}

/** `includePrompt` → `include prompt` */
function inWords(key: string): string {
  return key.replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
}

function isListOfObjects(value: unknown): value is object[] {
  return Array.isArray(value) && value.some((entry) => typeof entry === 'object' && entry !== null)
}

function isTensor(value: unknown): value is TensorRef {
  return typeof value === 'object' && value !== null && 'byteOffset' in value && 'shape' in value
}
