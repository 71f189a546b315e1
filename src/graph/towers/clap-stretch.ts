/** One of the four places that an interpolated number is made of, for each of them. */
export interface Tap {
  readonly places: Int32Array
  readonly weights: Float32Array
}

/** torch's, of bicubic interpolation. */
const A = -0.75

/**
 * What torch's bicubic interpolation with `align_corners` makes `to` numbers out of `from` by: beyond the ends the last number
 * goes on. torch finds places in float32, and so does this: a place that differs in its last bits has other weights.
 */
export function cubicTaps(from: number, to: number): readonly Tap[] {
  const step = Math.fround((from - 1) / (to - 1))
  const places = Float32Array.from({ length: to }, (_, index) => step * index)
  return [-1, 0, 1, 2].map((offset) => ({
    places: Int32Array.from(places, (place) => Math.min(from - 1, Math.max(0, Math.floor(place) + offset))),
    weights: places.map((place) => weightAt(Math.abs(Math.fround(place - Math.floor(place)) - offset))),
  }))
}

/** Of a number so far away, up to 2. */
function weightAt(distance: number): number {
  if (distance <= 1) return ((A + 2) * distance - (A + 3)) * distance ** 2 + 1
  return ((A * distance - 5 * A) * distance + 8 * A) * distance - 4 * A
}
