import { expect, test } from 'vitest'
import { ATTENTION } from '../../../../src/graph/ops/attention.ts'
import type { Attributes, Case, Operand } from '../operator-cases.ts'
import { f32, i32, none, of, testOperators } from '../operator-cases.ts'

const heads = (count: number, keys: number): Attributes => ({
  num_heads: { int: count },
  kv_num_heads: { int: keys },
})

interface Grouped {
  readonly key?: Operand
  readonly value?: Operand
  readonly lengths?: Operand
  readonly tables?: readonly [Operand, Operand]
  readonly bias?: Operand
  readonly norms?: readonly [Operand, Operand]
}

/** Operands of GroupQueryAttention in their order, the past and the positions left out. */
function grouped(query: Operand, given: Grouped = {}): readonly Operand[] {
  const { key, value, lengths = i32('B'), tables = [none, none], bias, norms } = given
  const operands = [query, key, value, none, none, lengths, i32(), ...tables, none, bias]
  return norms === undefined ? operands : [...operands, none, none, none, ...norms]
}

/** Key and value as a cache would keep them, of so many heads of 8 numbers. */
function kept(count: number) {
  return [f32('B', count, 'S', 8), f32('B', count, 'S', 8)]
}

const packed = f32('B', 'S', 48)
const apart = { key: f32('B', 'S', 16), value: f32('B', 'S', 16) }
const rotating: Attributes = { ...heads(2, 2), do_rotary: { int: 1 } }
const tables = [f32('S', 4), f32('S', 4)] as const

const biases: readonly (readonly [Operand, string | undefined])[] = [
  [f32(1, 1, 'S', 'S'), none],
  [f32(1, 2, 'S', 'S'), none],
  [f32('B', 2, 'S', 'S'), none],
  [f32('T', 1, 'S', 'S'), 'is for T rows'],
  [f32(1, 3, 'S', 'S'), 'has 3 heads, not 2'],
  [f32(1, 1, 'S', 'T'), 'T is not S'],
  [f32(1, 1, 'T', 'S'), 'T is not S'],
  [f32(1, 'S', 'S'), 'must be [1 or B, 1 or N, S, S]'],
  [of('f16', 1, 1, 'S', 'S'), 'f32 and f16 do not mix'],
]

/** Every bias with these operands around it, right or wrong by itself. */
function withBiases(
  around: (bias: Operand) => readonly Operand[],
  attributes: Attributes,
  makes: Case['right'][number]['makes'],
): Case {
  return {
    right: biases.flatMap(([bias, says]) =>
      says === undefined ? [{ operands: around(bias), attributes, makes }] : [],
    ),
    wrong: biases.flatMap(([bias, says]) =>
      says === undefined ? [] : [{ operands: around(bias), attributes, says }],
    ),
  }
}

function groupQueryAttention(): Case {
  const biased = withBiases((bias) => grouped(packed, { bias }), heads(2, 2), f32('B', 'S', 16))
  return {
    right: [
      { operands: grouped(packed), attributes: heads(2, 2), makes: f32('B', 'S', 16), more: kept(2) },
      // 4 query heads, 2 for the keys and 2 for the values, of 8 numbers each
      ...[grouped(f32('B', 'S', 64)), grouped(f32('B', 'S', 32), apart)].map((operands) => ({
        operands,
        attributes: heads(4, 2),
        makes: f32('B', 'S', 32),
        more: kept(2),
      })),
      {
        operands: grouped(packed, { tables }),
        attributes: rotating,
        makes: f32('B', 'S', 16),
        more: kept(2),
      },
      {
        operands: grouped(packed, { norms: [f32(8), f32(8)] }),
        attributes: heads(2, 2),
        makes: f32('B', 'S', 16),
        more: kept(2),
      },
      ...biased.right.map((entry) => ({ ...entry, more: kept(2) })),
    ],
    wrong: [
      { operands: grouped(f32('T', 48)), attributes: heads(2, 2), says: 'the query must be [B, S, width]' },
      { operands: grouped(f32('B', 'S', 'H')), attributes: heads(2, 2), says: 'the query must be' },
      {
        operands: grouped(f32('B', 'S', 50)),
        attributes: heads(2, 2),
        says: '50 does not split into 2 + 2 × 2',
      },
      { operands: grouped(packed), attributes: heads(3, 2), says: '3 heads are no multiple of 2' },
      { operands: grouped(f32('B', 'S', 32), apart), attributes: heads(2, 2), says: '16 is not 32' },
      {
        operands: grouped(f32('B', 'S', 32), { ...apart, value: f32('B', 'T', 16) }),
        attributes: heads(4, 2),
        says: 'T is not S',
      },
      {
        operands: grouped(f32('B', 'S', 32), { key: apart.key }),
        attributes: heads(4, 2),
        says: 'missing',
      },
      {
        operands: grouped(f32('B', 'S', 32), { ...apart, key: of('f16', 'B', 'S', 16) }),
        attributes: heads(4, 2),
        says: 'f32 and f16 do not mix',
      },
      { operands: grouped(packed), attributes: rotating, says: 'missing' },
      {
        operands: grouped(packed, { tables: [tables[0], f32('S', 8)] }),
        attributes: rotating,
        says: '8 is not 4',
      },
      {
        operands: grouped(packed, { tables: [f32(4), tables[1]] }),
        attributes: rotating,
        says: '1 axes, not 2',
      },
      {
        operands: grouped(packed, { norms: [f32(8), f32(16)] }),
        attributes: heads(2, 2),
        says: '16 is not 8',
      },
      { operands: grouped(packed, { norms: [none, f32(8)] }), attributes: heads(2, 2), says: 'missing' },
      {
        operands: grouped(packed, { norms: [f32(8), of('f16', 8)] }),
        attributes: heads(2, 2),
        says: 'f32 and f16 do not mix',
      },
      { operands: grouped(packed, { lengths: f32('B') }), attributes: heads(2, 2), says: 'an i32 vector' },
      { operands: grouped(packed, { lengths: i32() }), attributes: heads(2, 2), says: 'an i32 vector' },
      { operands: grouped(packed, { lengths: i32('T') }), attributes: heads(2, 2), says: 'T is not B' },
      { operands: [packed], attributes: heads(2, 2), says: 'missing' },
      {
        operands: [packed, none, none, none, none, i32('B'), f32()],
        attributes: heads(2, 2),
        says: 'total_sequence_length must be i32',
      },
      { operands: grouped(i32('B', 'S', 48)), attributes: heads(2, 2), says: 'not floating' },
      { operands: grouped(packed), says: 'attribute num_heads is missing' },
      ...biased.wrong,
    ],
  }
}

function multiHeadAttention(): Case {
  const x = f32('B', 'S', 20)
  const even = f32('B', 9, 20)
  const attributes: Attributes = { num_heads: { int: 2 } }
  const biased = withBiases((bias) => [x, x, x, none, i32('B'), bias], attributes, x)
  return {
    right: [
      { operands: [x, x, x, none, i32('B')], attributes, makes: x },
      // A bias of each row hides what is past its end.
      { operands: [x, x, x, none, none, f32('B', 1, 'S', 'S')], attributes, makes: x },
      // No row ends before another.
      { operands: [even, even, even], attributes, makes: even },
      { operands: [even, even, even, none, none, f32(1, 2, 9, 9)], attributes, makes: even },
      ...biased.right,
    ],
    wrong: [
      { operands: [x, x, x, none, none, f32(1, 1, 'S', 'S')], attributes, says: 'missing' },
      { operands: [f32('T', 20), x, x, none, i32('B')], attributes, says: 'must be [B, S, width]' },
      { operands: [x, f32('B', 'S', 10), x, none, i32('B')], attributes, says: '20 is not 10' },
      { operands: [x, x, f32('B', 'T', 20), none, i32('B')], attributes, says: 'S is not T' },
      { operands: [x, x, f32('B', 'S'), none, i32('B')], attributes, says: 'missing' },
      { operands: [x, x, f32('B', 'S', 20, 1), none, i32('B')], attributes, says: '4 axes, not 3' },
      { operands: [x, x, x, none, f32('B')], attributes, says: 'the lengths must be an i32 vector' },
      { operands: [x, x, x, none, i32('B', 1)], attributes, says: 'the lengths must be an i32 vector' },
      { operands: [x, x, x], attributes, says: 'missing' },
      { operands: [even, even, even, none, none, f32(1, 2, 8, 8)], attributes, says: '8 is not 9' },
      { operands: [x, none, x, none, i32('B')], attributes, says: 'missing' },
      ...biased.wrong,
    ],
  }
}

function packedMultiHeadAttention(): Case {
  const x = f32('T', 20)
  const qkv = f32('T', 2, 3, 10)
  const attributes: Attributes = { num_heads: { int: 2 } }
  const places = [i32('B', 'S'), i32('B+1')] as const
  const biased = withBiases((bias) => [x, x, x, none, ...places, bias], attributes, x)
  return {
    right: [
      { operands: [x, x, x, none, ...places], attributes, makes: x },
      { operands: [x, x, x, f32(60), ...places], attributes, makes: x },
      { operands: [qkv, none, none, f32(60), ...places], attributes, makes: x },
      ...biased.right,
    ],
    wrong: [
      { operands: [f32('T', 60), none, none, none, ...places], attributes, says: 'must be [T, N, 3, D]' },
      { operands: [f32('T', 2, 2, 10), none, none, none, ...places], attributes, says: '[T, N, 3, D]' },
      { operands: [f32('T', 4, 3, 5), none, none, none, ...places], attributes, says: '4 is not 2' },
      { operands: [qkv, x, x, none, ...places], attributes, says: 'the query must be [T, width]' },
      { operands: [x, f32('T', 10), x, none, ...places], attributes, says: '10 is not 20' },
      { operands: [x, x, f32('B', 20), none, ...places], attributes, says: 'B is not T' },
      { operands: [x, x, none, none, ...places], attributes, says: 'missing' },
      {
        operands: [f32('T', 21), f32('T', 21), f32('T', 21), none, ...places],
        attributes,
        says: 'does not split into heads',
      },
      { operands: [x, x, x, f32(20), ...places], attributes, says: '20 is not 60' },
      { operands: [x, x, x, of('f16', 60), ...places], attributes, says: 'f32 and f16 do not mix' },
      { operands: [x, x, x, none, i32('T'), places[1]], attributes, says: 'token_offset must be i32 [B, S]' },
      { operands: [x, x, x, none, f32('B', 'S'), places[1]], attributes, says: 'token_offset must be i32' },
      { operands: [x, x, x, none, places[0], i32('B', 1)], attributes, says: 'must be an i32 vector' },
      { operands: [x, x, x, none, places[0], of('i64', 'B+1')], attributes, says: 'must be an i32 vector' },
      { operands: [x, x, x, none, places[0]], attributes, says: 'missing' },
      ...biased.wrong,
    ],
  }
}

function rotaryEmbedding(): Case {
  const x = f32('T', 1, 16)
  const positions = of('i64', 'T', 1)
  const table = f32('S', 4)
  const attributes: Attributes = { num_heads: { int: 2 } }
  return {
    right: [{ operands: [x, positions, table, table], attributes, makes: x }],
    wrong: [
      {
        operands: [f32('T', 16), positions, table, table],
        attributes,
        says: 'must be [rows, length, width]',
      },
      { operands: [x, i32('T', 1), table, table], attributes, says: 'the positions must be i64' },
      { operands: [x, of('i64', 'T'), table, table], attributes, says: '1 axes, not 2' },
      { operands: [x, of('i64', 'B', 1), table, table], attributes, says: 'B is not T' },
      { operands: [x, positions, f32('S', 8), table], attributes, says: '8 is not 4' },
      { operands: [x, positions, table, f32('S', 3)], attributes, says: '3 is not 4' },
      { operands: [x, positions, table, of('f16', 'S', 4)], attributes, says: 'f32 and f16 do not mix' },
      { operands: [x, positions, table], attributes, says: 'missing' },
      { operands: [x, positions, table, table], says: 'attribute num_heads is missing' },
    ],
  }
}

const CASES: Readonly<Record<string, Case>> = {
  GroupQueryAttention: groupQueryAttention(),
  MultiHeadAttention: multiHeadAttention(),
  PackedMultiHeadAttention: packedMultiHeadAttention(),
  RotaryEmbedding: rotaryEmbedding(),
}

test('every attention operator has cases here', () => {
  expect(Object.keys(CASES).sort()).toEqual(Object.keys(ATTENTION).sort())
})

testOperators(CASES)
