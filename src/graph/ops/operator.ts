/** What the shape rules of all operators share. */
import type { Attribute, Dim, Shape, Value } from '../ir.ts'

export type Attributes = Readonly<Record<string, Attribute>>
export type Operands = readonly (Value | undefined)[]
/** Dtype and shape of what a node makes. */
export type Fact = Omit<Value, 'name'>

export interface Operator {
  readonly domain: '' | 'com.microsoft'
  /** Its kernels write every output, whether somebody uses it or not: left out, it would crash or change the others. */
  readonly writesAll?: true
  /**
   * What the node makes, the first output first; throws where operands do not fit. `declared` is what the node says its
   * first output is: a shape that no operand tells is taken from there.
   */
  readonly infer: (
    operands: Operands,
    attributes: Attributes,
    declared: Value | undefined,
  ) => Fact | readonly Fact[]
}

export type OperatorTable = Readonly<Record<string, Operator>>

export function float(value: Value): Value {
  if (!/^b?f/.test(value.dtype)) throw new Error(`${value.name} is ${value.dtype}, not floating`)
  return value
}

export function numeric(value: Value): Value {
  if (value.dtype === 'bool') throw new Error(`${value.name} is bool, not a number`)
  return value
}

export function sameType(a: Value, b: Value): void {
  if (a.dtype !== b.dtype) throw new Error(`${a.dtype} and ${b.dtype} do not mix`)
}

export function same(a: Dim, b: Dim): void {
  if (a !== b) throw new Error(`${a} is not ${b}`)
}

export function required<X>(value: X | undefined): X {
  if (value === undefined) throw new Error('an operand or a dimension is missing')
  return value
}

/** `fallback`: what ONNX assumes where the attribute is left out. */
export function intOf(attributes: Attributes, name: string, fallback?: number): number {
  const attribute = attributes[name]
  if (attribute !== undefined && 'int' in attribute) return attribute.int
  if (attribute === undefined && fallback !== undefined) return fallback
  throw new Error(`attribute ${name} is missing`)
}

/** The product of all dimensions in a form that two shapes can be compared by: `384·B·S`. */
export function factors(shape: Shape): string {
  let product = 1
  const letters: string[] = []
  for (const dim of shape) {
    for (const factor of String(dim).split('*')) {
      if (/^\d+$/.test(factor)) product *= Number(factor)
      else letters.push(factor)
    }
  }
  return [product, ...letters.sort()].join('·')
}
