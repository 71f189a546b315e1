import { serveCalls } from '../../base/thread-server.ts'
import type { SumCalls } from './sum-thread.ts'
import { sumWeights } from './sum-weights.ts'

serveCalls<SumCalls>({
  sum: async ({ folder }) => ({ reply: { sum: await sumWeights(folder) } }),
})
