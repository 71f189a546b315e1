/** What stands for a list of numbers in a body. */
export type NumberArray = Float32Array | Int8Array | Uint8Array

export function isNumberArray(value: unknown): value is NumberArray {
  return value instanceof Float32Array || value instanceof Int8Array || value instanceof Uint8Array
}
