/** Tensors that a checkpoint holds otherwise than row by row, as torch saves transposed ones. */
import type { TensorRef } from '../../model/spec.ts'
import { STORED_BYTES } from './convert.ts'

/** Bytes from a tensor's first number to its last. */
export function spanLength({ dtype, shape, strides = [] }: TensorRef): number {
  if (shape.includes(0)) return 0
  const last = shape.reduce((sum, size, axis) => sum + (size - 1) * (strides[axis] as number), 0)
  return (last + 1) * STORED_BYTES[dtype]
}

export interface Gathering {
  /** Place of the first number, counted row by row. */
  readonly from: number
  readonly count: number
  readonly to: ArrayBuffer
}

/** Numbers of a tensor in the order of its rows. `span`: its bytes as they lie, from the first number on. */
export function gatherRows(
  span: Uint8Array<ArrayBuffer>,
  { dtype, shape, strides = [] }: TensorRef,
  { from, count, to }: Gathering,
): void {
  const [source, made] = viewsOf(STORED_BYTES[dtype], span, to)
  const last = shape.length - 1
  const width = shape[last] ?? 1
  const step = strides[last] ?? 1
  const place = placeOf(from, shape)
  let column = place.pop() ?? 0
  for (let done = 0; done < count;) {
    const some = Math.min(width - column, count - done)
    let at = column * step
    for (const [axis, index] of place.entries()) at += index * (strides[axis] as number)
    for (let i = 0; i < some; i++, at += step) made[done + i] = source[at] as number
    done += some
    column = 0
    moveOn(place, shape)
  }
}

type Numbers = Uint8Array | Uint16Array | Uint32Array

/** As whole numbers of that many bytes, whatever they mean. */
function viewsOf(bytes: number, span: Uint8Array<ArrayBuffer>, to: ArrayBuffer): readonly [Numbers, Numbers] {
  if (bytes === 4) return [new Uint32Array(span.buffer), new Uint32Array(to)]
  return bytes === 2 ? [new Uint16Array(span.buffer), new Uint16Array(to)] : [span, new Uint8Array(to)]
}

/** The index along each axis. */
function placeOf(number: number, shape: readonly number[]): number[] {
  let rest = number
  const place: number[] = []
  for (const size of shape.toReversed()) {
    place.unshift(rest % size)
    rest = Math.floor(rest / size)
  }
  return place
}

/** To the next row: the last index that has not come to its end goes up, those behind it begin anew. */
function moveOn(place: number[], shape: readonly number[]): void {
  for (let axis = place.length - 1; axis >= 0; axis--) {
    place[axis] = (place[axis] as number) + 1
    if ((place[axis] as number) < (shape[axis] as number)) return
    place[axis] = 0
  }
}
