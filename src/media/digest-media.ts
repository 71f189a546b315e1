import { createHash } from 'node:crypto'

/** SHA-256 in hex of a shape and numbers, or of all that they are made of. */
export function digestMedia(shape: readonly number[], ...numbers: readonly ArrayBufferView[]): string {
  const hash = createHash('sha256').update(`${shape.join('×')}:`)
  for (const { buffer, byteOffset, byteLength } of numbers) {
    hash.update(new Uint8Array(buffer, byteOffset, byteLength))
  }
  return hash.digest('hex')
}
