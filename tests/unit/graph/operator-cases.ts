/** Tables of operands that fit an operator and of those that do not, each row a test. */
import { describe, expect, test } from 'vitest'
import type { Attribute, Dtype, Shape, Value } from '../../../src/graph/ir.ts'
import { inferOutputs } from '../../../src/graph/ops.ts'
import { expectRefusal } from '../model/expect-refusal.ts'

export type Attributes = Readonly<Record<string, Attribute>>
export type Operand = Value | undefined

/** What fits, and what it makes. */
export interface Right {
  readonly operands: readonly Operand[]
  readonly attributes?: Attributes
  /** What a Reshape says it makes. */
  readonly declared?: Value
  readonly makes: Value
  /** Outputs after the first. */
  readonly more?: readonly Value[]
}

/** What does not fit, and words that the refusal says. */
export interface Wrong extends Omit<Right, 'makes' | 'more'> {
  readonly says: string
}

export interface Case {
  readonly right: readonly Right[]
  readonly wrong: readonly Wrong[]
}

let valueCount = 0

export function of(dtype: Dtype, ...shape: Shape): Value {
  return { name: `x${valueCount++}`, dtype, shape }
}

export const f32 = (...shape: Shape) => of('f32', ...shape)
export const i32 = (...shape: Shape) => of('i32', ...shape)
export const none = undefined

/** What takes one operand of a floating dtype, and gives its like. */
export const unary: Case = {
  right: [
    { operands: [f32('T', 4)], makes: f32('T', 4) },
    { operands: [of('f16', 'B', 'S', 2)], makes: of('f16', 'B', 'S', 2) },
    { operands: [of('bf16')], makes: of('bf16') },
  ],
  wrong: [
    { operands: [i32('T')], says: 'is i32, not floating' },
    { operands: [of('i8', 4)], says: 'is i8, not floating' },
    { operands: [of('bool', 4)], says: 'is bool, not floating' },
    { operands: [], says: 'an operand or a dimension is missing' },
  ],
}

export function testOperators(cases: Readonly<Record<string, Case>>): void {
  describe.each(Object.entries(cases))('%s', (op, { right, wrong }) => {
    test.each(right.map((entry) => [format(entry), entry] as const))('takes %s', (_, entry) => {
      const { dtype, shape } = entry.makes
      const [first, ...others] = inferOutputs(op, entry.operands, entry.attributes ?? {}, entry.declared)
      expect(first).toEqual({ dtype, shape })
      expect(others).toEqual((entry.more ?? []).map(({ dtype, shape }) => ({ dtype, shape })))
    })

    test.each(wrong.map((entry) => [format(entry), entry] as const))('refuses %s', async (_, entry) => {
      const named = entry.operands.map((value) => (value ? `${value.name}: ${formatOf(value)}` : '–'))
      await expectRefusal(
        () => inferOutputs(op, entry.operands, entry.attributes ?? {}, entry.declared),
        'graph_invalid',
        `${op}(${named.join(', ')})`,
        entry.says,
      )
    })
  })
}

function format({ operands, attributes = {}, declared }: Omit<Right, 'makes' | 'more'>): string {
  const values = operands.map((value) => (value ? formatOf(value) : '–')).join(' ')
  const wanted = declared ? ` as ${formatOf(declared)}` : ''
  const set = Object.entries(attributes).map(([name, value]) => ` ${name} ${Object.values(value).join()}`)
  return `${values || 'nothing'}${wanted}${set.join('')}`
}

function formatOf({ dtype, shape }: Value): string {
  return `${dtype}[${shape.join(', ')}]`
}
