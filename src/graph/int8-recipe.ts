/** What a part of a linear layer in 8 bits comes to, told without a byte of it. */
import type { Initializer, Int8Recipe } from './ir.ts'
import type { Matrix } from './matrix.ts'

export function isInt8Recipe(source: Initializer['source']): source is Int8Recipe {
  return !(source instanceof Uint8Array) && 'makes' in source
}

export function int8Shape({ makes, weights }: Int8Recipe): readonly number[] {
  const rows = weights.reduce((sum, { values }) => sum + (values.shape[0] as number), 0)
  const columns = weights[0]?.values.shape[1] as number
  switch (makes) {
    case 'codes':
      return [columns, rows]
    case 'scales':
      return [rows]
    case 'reciprocals':
      return [columns]
    case 'coarse':
    case 'fine':
      return []
    default:
      return makes satisfies never
  }
}

/** By which what was found of a layer's input is known. A layer whose weights serve several times has one input for all. */
export function inputKey(weights: readonly Matrix[]): string {
  return weights.map(({ values }) => `${values.file}:${values.byteOffset}`).join(' ')
}
