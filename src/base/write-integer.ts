const MINUS = 0x2d
const ZERO = 0x30

/** Writes the decimal text of an int32. Returns where the text ends. */
export function writeInteger(view: DataView, at: number, value: number): number {
  let start = at
  if (value < 0) view.setUint8(start++, MINUS)
  let rest = Math.abs(value)
  let end = start + 1
  for (let limit = 10; rest >= limit; limit *= 10) end++
  for (let place = end - 1; place >= start; place--) {
    const tens = (rest / 10) | 0
    view.setUint8(place, ZERO + rest - 10 * tens)
    rest = tens
  }
  return end
}
