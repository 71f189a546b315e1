import { ThreadClient } from '../../base/thread-client.ts'
import type { WeightsSum } from './sum-weights.ts'

export interface SumCalls {
  sum: { ask: { readonly folder: string }; reply: WeightsSum }
}

/** Reads weights through on a thread of its own: of gigabytes it takes as long as the session that is made of them meanwhile. */
export async function sumBeside(folder: string): Promise<WeightsSum> {
  const thread = new ThreadClient<SumCalls>(new URL('./sum-entry.ts', import.meta.url), 'sum')
  try {
    return await thread.call('sum', { folder })
  } finally {
    await thread.close()
  }
}
