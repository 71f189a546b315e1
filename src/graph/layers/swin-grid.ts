/**
 * Orders of the tokens of a square grid, as lists: which token of the grid, counted row by row, stands in each place.
 * transformers 5.23, models/swin/modeling_swin.py
 */

/** A grid cut into square windows; both sides in tokens. */
export interface WindowedGrid {
  readonly side: number
  /** Side of a window: a divisor of `side`. */
  readonly window: number
  /** How far the grid is rolled up and to the left before it is cut. */
  readonly shift: number
}

/** Row by row. */
export function gridOrder(side: number): Int32Array {
  return Int32Array.from({ length: side * side }, (_, token) => token)
}

/** [L, W]: the first token of all W windows, then the second, to the last, L. */
export function windowOrder({ side, window, shift }: WindowedGrid): Int32Array {
  return eachPlace({ side, window }, (y, x) => ((y + shift) % side) * side + ((x + shift) % side))
}

/** [places, 4]: the four tokens that become one, each column of two from the top, the left column first. */
export function mergeOrder(side: number): Int32Array {
  const half = side / 2
  return Int32Array.from({ length: side * side }, (_, place) => {
    const [token, part] = [Math.floor(place / 4), place % 4]
    const y = 2 * Math.floor(token / half) + (part % 2)
    const x = 2 * (token % half) + Math.floor(part / 2)
    return y * side + x
  })
}

/** Where each place of one order finds its token in another. */
export function placesIn(order: Int32Array, wanted: Int32Array): Int32Array {
  const places = new Int32Array(order.length)
  for (const [place, token] of order.entries()) places[token] = place
  return wanted.map((token) => places[token] as number)
}

/**
 * [L, W]: which part of the grid a token of a window came from, in `windowOrder`. In a rolled grid some windows hold parts that
 * were no neighbours, and these do not see each other.
 */
export function windowRegions({ side, window, shift }: WindowedGrid): Int32Array {
  const part = (at: number) => Number(at >= side - window) + Number(at >= side - shift)
  return eachPlace({ side, window }, (y, x) => 3 * part(y) + part(x))
}

/** [L, L]: the row of a table [(2 · window − 1)², N] that each query, down, has for each key, across. */
export function relativePlaces(window: number): Int32Array {
  const L = window * window
  const step = 2 * window - 1
  return Int32Array.from({ length: L * L }, (_, index) => {
    const [query, key] = [Math.floor(index / L), index % L]
    const down = Math.floor(query / window) - Math.floor(key / window)
    const across = (query % window) - (key % window)
    return (down + window - 1) * step + across + window - 1
  })
}

/** In `windowOrder`, of the row and the column in the grid as it is cut. */
function eachPlace(
  { side, window }: Pick<WindowedGrid, 'side' | 'window'>,
  value: (y: number, x: number) => number,
): Int32Array {
  const across = side / window
  const W = across * across
  return Int32Array.from({ length: side * side }, (_, place) => {
    const [inner, outer] = [Math.floor(place / W), place % W]
    const y = Math.floor(outer / across) * window + Math.floor(inner / window)
    const x = (outer % across) * window + (inner % window)
    return value(y, x)
  })
}
