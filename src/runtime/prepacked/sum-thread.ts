import { availableParallelism } from 'node:os'
import { ThreadClient } from '../../base/thread-client.ts'
import type { Share } from './sum-weights.ts'
import { PIECE_BYTES } from './sum-weights.ts'

export interface SumCalls {
  sum: { ask: Share & { readonly folder: string }; reply: { readonly sums: readonly number[] } }
}

/**
 * Reads weights of so many bytes through, and gives the sum of each piece, on threads of their own: of gigabytes it takes twice
 * as long as the session that is made of them meanwhile.
 */
export async function sumBeside(folder: string, bytes: number): Promise<readonly number[]> {
  const pieces = Math.ceil(bytes / PIECE_BYTES)
  const step = Math.min(pieces, availableParallelism())
  const shares = await Promise.all(
    Array.from({ length: step }, (_, first) => sumOnThread(folder, { first, step })),
  )
  return Array.from({ length: pieces }, (_, piece) => shares[piece % step]?.[Math.floor(piece / step)] ?? NaN)
}

async function sumOnThread(folder: string, share: Share): Promise<readonly number[]> {
  const thread = new ThreadClient<SumCalls>(new URL('./sum-entry.ts', import.meta.url), 'sum')
  try {
    return (await thread.call('sum', { folder, ...share })).sums
  } finally {
    await thread.close()
  }
}
