/** How the numbers of a tensor lie: `strides` lead from one to the next along each axis, counted in numbers. */
import type { TensorRef } from './spec.ts'

/** Strides are named only where the numbers do not lie row by row. */
export function layoutOf(
  shape: readonly number[],
  strides: readonly number[],
): Pick<TensorRef, 'shape' | 'strides'> {
  return shape.includes(0) || isRowByRow(shape, strides) ? { shape } : { shape, strides }
}

/** Element of the last number, counted from the first. */
export function lastOf(shape: readonly number[], strides: readonly number[]): number {
  return shape.reduce((sum, size, axis) => sum + (size - 1) * (strides[axis] as number), 0)
}

/** Whether one number may stand for several, as in torch's `expand`: a step must lead over all that smaller steps reach. */
export function overlaps(shape: readonly number[], strides: readonly number[]): boolean {
  const steps = shape.flatMap((size, axis) => (size === 1 ? [] : [{ size, stride: strides[axis] as number }]))
  let reached = 1
  return steps
    .toSorted((a, b) => a.stride - b.stride)
    .some(({ size, stride }) => {
      const isNarrow = stride < reached
      reached += (size - 1) * stride
      return isNarrow
    })
}

/** The stride of a dimension of size 1 is never taken. */
function isRowByRow(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false
    expected *= shape[axis] as number
  }
  return true
}
