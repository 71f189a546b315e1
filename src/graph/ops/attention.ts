import type { Dim, Value } from '../ir.ts'
import type { Attributes, Fact, OperatorTable, Operands } from './operator.ts'
import { float, intOf, required, same, sameType } from './operator.ts'

export const ATTENTION: OperatorTable = {
  MultiHeadAttention: { domain: 'com.microsoft', infer: inferMultiHeadAttention },
  GroupQueryAttention: { domain: 'com.microsoft', infer: inferGroupQueryAttention },
  PackedMultiHeadAttention: { domain: 'com.microsoft', infer: inferPackedMultiHeadAttention },
  RotaryEmbedding: { domain: 'com.microsoft', infer: inferRotaryEmbedding },
}

/**
 * Query [B, S, N·D] with key and value [B, S, Nkv·D], or all packed as [B, S, (N + 2 Nkv) D]; norms of query and key [D] as
 * inputs 14 and 15, both or none. [B, S, N D] out, then key and value as a cache would keep them, [B, Nkv, S, D].
 */
function inferGroupQueryAttention(operands: Operands, attributes: Attributes): Fact[] {
  const [query, key, value, , , lengths, maxLength, cos, sin, , bias] = operands
  const packed = float(required(query))
  const heads = intOf(attributes, 'num_heads')
  const keyHeads = intOf(attributes, 'kv_num_heads')
  const [rows, length, width] = packed.shape
  if (packed.shape.length !== 3 || typeof width !== 'number')
    throw new Error('the query must be [B, S, width]')
  if (heads % keyHeads !== 0) throw new Error(`${heads} heads are no multiple of ${keyHeads}`)
  const headWidth = key === undefined ? width / (heads + 2 * keyHeads) : width / heads
  if (!Number.isInteger(headWidth))
    throw new Error(`${width} does not split into ${heads} + 2 × ${keyHeads} heads`)
  if (key !== undefined) {
    for (const other of [key, required(value)]) {
      sameType(packed, other)
      expectShape(other, [required(rows), required(length), keyHeads * headWidth])
    }
  }
  expectLengths(lengths, required(rows))
  if (required(maxLength).dtype !== 'i32') throw new Error('total_sequence_length must be i32')
  if (intOf(attributes, 'do_rotary', 0) === 1) {
    for (const table of [required(cos), required(sin)]) {
      sameType(packed, table)
      expectShape(table, [required(table.shape[0]), headWidth / 2])
    }
  }
  expectBias(bias, packed, heads, required(length))
  const norms = [operands[14], operands[15]]
  if (norms.some(Boolean)) {
    for (const norm of norms) {
      sameType(packed, required(norm))
      expectShape(required(norm), [headWidth])
    }
  }
  const { dtype } = packed
  const kept: Fact = { dtype, shape: [required(rows), keyHeads, required(length), headWidth] }
  return [{ dtype, shape: [required(rows), required(length), heads * headWidth] }, kept, kept]
}

/**
 * Query, key and value of [B, S, N·D] each; lengths of the rows as key padding mask, unless a bias of each row hides what is
 * past their ends or S is a fixed number; a bias [1 or B, 1 or N, S, S].
 */
function inferMultiHeadAttention(
  [query, key, value, , lengths, bias]: Operands,
  attributes: Attributes,
): Fact {
  const packed = float(required(query))
  const { shape } = packed
  if (shape.length !== 3) throw new Error('the query must be [B, S, width]')
  for (const other of [required(key), required(value)]) {
    sameType(packed, other)
    if (other.shape.length > 3) throw new Error(`${other.name} has ${other.shape.length} axes, not 3`)
    shape.forEach((dim, i) => same(dim, required(other.shape[i])))
  }
  const heads = intOf(attributes, 'num_heads')
  if ((shape[2] as number) % heads !== 0) throw new Error('the width does not split into heads')
  // Without either, keys past the end of a row would be seen, unless all rows are of one length.
  const isEven = typeof shape[1] === 'number'
  if (lengths !== undefined || (bias?.shape[0] !== shape[0] && !isEven))
    expectLengths(lengths, required(shape[0]))
  expectBias(bias, packed, heads, required(shape[1]))
  return packed
}

/**
 * Query, key and value of [T, N·D] each, or the query alone as [T, N, 3, D]; a bias of 3·N·D; token_offset [B, S], whose
 * shape tells S; cumulative lengths [B + 1]; a bias of the scores [1 or B, 1 or N, S, S]. [T, N·D] out.
 */
function inferPackedMultiHeadAttention(operands: Operands, attributes: Attributes): Fact {
  const [query, key, value, bias, offsets, bounds, scoreBias] = operands
  const packed = float(required(query))
  const heads = intOf(attributes, 'num_heads')
  const [tokens, second, three, headWidth] = packed.shape
  let width = second as number
  if (key === undefined) {
    if (packed.shape.length !== 4 || three !== 3) throw new Error('the query must be [T, N, 3, D]')
    same(required(second), heads)
    width = heads * (headWidth as number)
  } else {
    if (packed.shape.length !== 2) throw new Error('the query must be [T, width]')
    for (const other of [key, required(value)]) {
      sameType(packed, other)
      expectShape(other, packed.shape)
    }
  }
  if (width % heads !== 0) throw new Error('the width does not split into heads')
  if (bias !== undefined) {
    sameType(packed, bias)
    expectShape(bias, [3 * width])
  }
  if (required(offsets).dtype !== 'i32' || required(offsets).shape.length !== 2)
    throw new Error('token_offset must be i32 [B, S]')
  if (required(bounds).dtype !== 'i32' || required(bounds).shape.length !== 1)
    throw new Error('the cumulative lengths must be an i32 vector')
  expectBias(scoreBias, packed, heads, required(required(offsets).shape[1]))
  return { dtype: packed.dtype, shape: [required(tokens), width] }
}

/** x [rows, length, N·D] with positions [rows, length] and tables [positions, D / 2]. */
function inferRotaryEmbedding([x, positions, cos, sin]: Operands, attributes: Attributes): Fact {
  const value = float(required(x))
  if (value.shape.length !== 3) throw new Error('it must be [rows, length, width]')
  const width = required(value.shape[2]) as number
  const headWidth = width / intOf(attributes, 'num_heads')
  const place = required(positions)
  if (place.dtype !== 'i64') throw new Error('the positions must be i64')
  expectShape(place, value.shape.slice(0, 2))
  for (const table of [required(cos), required(sin)]) {
    sameType(value, table)
    expectShape(table, [required(table.shape[0]), headWidth / 2])
  }
  return value
}

/** One length for each row. */
function expectLengths(lengths: Value | undefined, rows: Dim): void {
  const { dtype, shape } = required(lengths)
  if (dtype !== 'i32' || shape.length !== 1) throw new Error('the lengths must be an i32 vector')
  same(required(shape[0]), rows)
}

/** [1 or B, 1 or N, S, S] */
function expectBias(bias: Value | undefined, query: Value, heads: number, length: Dim): void {
  if (bias === undefined) return
  sameType(query, bias)
  const [rows, biasHeads, queries, keys] = bias.shape
  if (bias.shape.length !== 4) throw new Error('the bias of scores must be [1 or B, 1 or N, S, S]')
  if (rows !== 1 && rows !== 'B') throw new Error(`the bias of scores is for ${rows} rows`)
  if (biasHeads !== 1 && biasHeads !== heads)
    throw new Error(`the bias of scores has ${biasHeads} heads, not ${heads}`)
  same(required(queries), length)
  same(required(keys), length)
}

function expectShape(value: Value, shape: readonly Dim[]): void {
  if (value.shape.length !== shape.length)
    throw new Error(`${value.name} has ${value.shape.length} axes, not ${shape.length}`)
  shape.forEach((dim, axis) => same(required(value.shape[axis]), dim))
}
