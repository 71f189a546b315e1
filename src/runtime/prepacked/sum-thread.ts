import { ThreadClient } from '../../base/thread-client.ts'

export interface SumCalls {
  sum: { ask: { readonly folder: string }; reply: { readonly sum: string } }
}

/** On a thread of its own, while the session is made of the same weights. */
export async function sumBeside(folder: string): Promise<string> {
  const thread = new ThreadClient<SumCalls>(new URL('./sum-entry.ts', import.meta.url), 'sum')
  try {
    return (await thread.call('sum', { folder })).sum
  } finally {
    await thread.close()
  }
}
