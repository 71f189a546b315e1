/** The discrete Fourier transform of `size` complex numbers, in place. */
export type Transform = (real: Float64Array, imaginary: Float64Array) => void

/** Radix 2, after Cooley and Tukey. Throws a RangeError where `size` is no power of two. */
export function makeTransform(size: number): Transform {
  if (!Number.isInteger(Math.log2(size))) throw new RangeError(`a transform of ${size} numbers`)
  const cosines = Float64Array.from({ length: size / 2 }, (_, index) =>
    Math.cos((2 * Math.PI * index) / size),
  )
  const sines = Float64Array.from({ length: size / 2 }, (_, index) => -Math.sin((2 * Math.PI * index) / size))
  const places = reversedPlaces(size)
  return (real, imaginary) => {
    for (let index = 0; index < size; index += 1) {
      const place = places[index] as number
      if (place <= index) continue
      swap(real, index, place)
      swap(imaginary, index, place)
    }
    for (let half = 1; half < size; half *= 2) {
      const stride = size / (2 * half)
      for (let start = 0; start < size; start += 2 * half) {
        for (let index = 0; index < half; index += 1) {
          const [low, high] = [start + index, start + index + half]
          const cosine = cosines[index * stride] as number
          const sine = sines[index * stride] as number
          const [x, y] = [real[high] as number, imaginary[high] as number]
          const turnedX = x * cosine - y * sine
          const turnedY = x * sine + y * cosine
          real[high] = (real[low] as number) - turnedX
          imaginary[high] = (imaginary[low] as number) - turnedY
          real[low] = (real[low] as number) + turnedX
          imaginary[low] = (imaginary[low] as number) + turnedY
        }
      }
    }
  }
}

/** Of each index, the one with its bits in the other order. */
function reversedPlaces(size: number): Uint32Array {
  const places = new Uint32Array(size)
  for (let index = 1; index < size; index += 1)
    places[index] = ((places[index >> 1] as number) >> 1) | (index % 2 === 1 ? size >> 1 : 0)
  return places
}

function swap(numbers: Float64Array, one: number, other: number): void {
  const kept = numbers[one] as number
  numbers[one] = numbers[other] as number
  numbers[other] = kept
}
