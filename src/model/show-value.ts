import type { TensorRef } from './spec.ts'

const SHOWN_CHARACTERS = 100

/** What a terminal would act on, beyond what JSON escapes: more controls, ends of lines, and changes of direction. */
const UNSEEN = /[\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

/** A value of a model's file as errors show it: a plain word as it is, all else quoted. */
export function showValue(value: unknown): string {
  return typeof value === 'string' && /^[\w.-]{1,64}$/.test(value) ? value : quoteValue(value)
}

/** As JSON, cut where it is long. */
export function quoteValue(value: unknown): string {
  const isText = typeof value === 'string'
  const text = isText ? JSON.stringify(cut(value)) : cut(JSON.stringify(value) ?? String(value))
  return text.replace(UNSEEN, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

function cut(text: string): string {
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS).toWellFormed()}…` : text
}

const SHOWN_TENSORS = 5

/** Names and shapes of tensors, the first of them where there are many. */
export function showTensors(tensors: Readonly<Record<string, TensorRef>>): string {
  const all = Object.entries(tensors)
  const shown = all
    .slice(0, SHOWN_TENSORS)
    .map(([name, { shape }]) => `${showValue(name)} [${shape.join(', ')}]`)
  if (all.length > SHOWN_TENSORS) shown.push(`${all.length - SHOWN_TENSORS} more`)
  return shown.join(', ') || 'no tensor of numbers'
}
