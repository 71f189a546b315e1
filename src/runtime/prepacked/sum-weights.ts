import { readSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { WEIGHTS_FILE } from './files.ts'
import { openPrivateFile } from './private-folder.ts'

/** Sums are of so many bytes each, so that several threads can take them. */
export const PIECE_BYTES = 134_217_728

/** Small enough to be summed while it lies in the processor's cache. */
const READ_BYTES = 524_288

/** What one of `step` readers takes: of pieces 0, 1, 2 … every `step`-th from `first` on. */
export interface Share {
  readonly first: number
  readonly step: number
}

/** CRC-32 of each piece of the share; none where a model is so small that its graph holds all of its weights. */
export async function sumWeights(folder: string, { first, step }: Share): Promise<number[]> {
  const file = await openPrivateFile(folder, WEIGHTS_FILE)
  const sums: number[] = []
  try {
    for (let piece = first; file !== undefined; piece += step) {
      const sum = sumPiece(file.fd, piece * PIECE_BYTES)
      if (sum === undefined) break
      sums.push(sum)
    }
    return sums
  } finally {
    await file?.close()
  }
}

/** Undefined behind the end of the file. Whoever sums has a thread for it, and to wait for each read took half as long again. */
function sumPiece(file: number, start: number): number | undefined {
  const buffer = Buffer.alloc(READ_BYTES)
  let [sum, at] = [0, 0]
  while (at < PIECE_BYTES) {
    const bytesRead = readSync(file, buffer, 0, Math.min(READ_BYTES, PIECE_BYTES - at), start + at)
    if (bytesRead === 0) break
    sum = crc32(buffer.subarray(0, bytesRead), sum)
    at += bytesRead
  }
  return at === 0 ? undefined : sum
}
