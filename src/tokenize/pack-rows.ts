import { ServerError } from '../errors.ts'
import type { RowOptions, TokenizedRows } from './protocol.ts'

export interface Row {
  readonly parts: readonly (readonly number[])[]
  /** Undefined: every token has type 0. */
  readonly typeStart: number | undefined
  readonly unpooledTokens: number
  readonly textTokens: number
  readonly truncated: boolean
}

/** Rows one after the other. Throws `invalid_request` for one without tokens unless it may be, `model_invalid` for an unknown id. */
export function packRows(
  rows: readonly Row[],
  options: RowOptions,
  { mayBeEmpty = false }: { readonly mayBeEmpty?: boolean | undefined } = {},
): TokenizedRows {
  const bounds = new Int32Array(rows.length + 1)
  for (const [b, row] of rows.entries()) {
    bounds[b + 1] = (bounds[b] as number) + row.parts.reduce((sum, part) => sum + part.length, 0)
  }
  const ids = new Int32Array(bounds[rows.length] as number)
  const typeStarts = new Int32Array(rows.length)
  const unpooledTokens = new Int32Array(rows.length)
  for (const [b, row] of rows.entries()) {
    let offset = bounds[b] as number
    const length = (bounds[b + 1] as number) - offset
    if (length === 0 && !mayBeEmpty) {
      throw new ServerError(
        'invalid_request',
        `${options.noun} ${options.firstIndex + b} has no tokens; the model needs one`,
      )
    }
    for (const part of row.parts) {
      ids.set(part, offset)
      offset += part.length
    }
    typeStarts[b] = row.typeStart ?? length
    unpooledTokens[b] = row.unpooledTokens
  }
  expectKnownIds(ids, bounds, options)
  return {
    ids,
    bounds,
    typeStarts,
    unpooledTokens,
    textTokens: rows.reduce((sum, row) => sum + row.textTokens, 0),
    truncatedRows: rows.filter((row) => row.truncated).length,
  }
}

/** A tokenizer with more tokens than the model has rows would make the device read past its table. */
function expectKnownIds(
  ids: Int32Array,
  bounds: Int32Array,
  { noun, firstIndex, vocabularySize }: RowOptions,
): void {
  const position = ids.findIndex((id) => id >= vocabularySize)
  if (position < 0) return
  const row = bounds.findIndex((bound) => bound > position) - 1
  throw new ServerError(
    'model_invalid',
    `${noun} ${firstIndex + row} holds token id ${ids[position]}; the model knows ids below ${vocabularySize}: the tokenizer does not belong to the weights`,
  )
}
