import type { FileHandle } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { WEIGHTS_FILE } from './files.ts'
import { openPrivateFile } from './private-folder.ts'

export interface WeightsSum {
  readonly bytes: number
  /** CRC-32. */
  readonly sum: number
}

const PIECE_BYTES = 4_000_000

/** Of no bytes where a model is so small that its graph holds all of its weights. */
export async function sumWeights(folder: string): Promise<WeightsSum> {
  const file = await openPrivateFile(folder, WEIGHTS_FILE)
  try {
    return await sumPieces(file)
  } finally {
    await file?.close()
  }
}

async function sumPieces(file: FileHandle | undefined): Promise<WeightsSum> {
  const piece = Buffer.alloc(PIECE_BYTES)
  let [bytes, sum] = [0, 0]
  while (file !== undefined) {
    const { bytesRead } = await file.read(piece, 0, piece.length, null)
    if (bytesRead === 0) break
    bytes += bytesRead
    sum = crc32(piece.subarray(0, bytesRead), sum)
  }
  return { bytes, sum }
}
