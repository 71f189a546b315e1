/** An inference thread without a model. It answers a batch only once the next one lies there too; some ids do otherwise. */
import { serveCalls } from '../../src/base/thread-server.ts'
import { ServerError } from '../../src/errors.ts'
import { chooseTarget, fallbackOf } from '../../src/graph/choose-target.ts'
import { TARGETS } from '../../src/graph/target.ts'
import type { InferenceCalls, LoadAsk } from '../../src/runtime/protocol.ts'
import type { RaggedBatch } from '../../src/runtime/runner.ts'
import { ALONE, LETHAL, LOSING } from './paired-ids.ts'

let loaded: LoadAsk | undefined
let next = Promise.withResolvers<void>()

serveCalls<InferenceCalls>({
  choose: ({ spec, requested, device }) => {
    const chosen = chooseTarget(spec, requested, device)
    const wider = fallbackOf(chosen.target, device)
    return { reply: { ...chosen, wider: wider && { target: wider, dtype: TARGETS[wider].dtype } } }
  },

  place: ({ target }) => ({ reply: target === 'cuda-f16' ? { overflow: 'beyond fp16' } : { isKept: true } }),

  load: (ask) => {
    if (ask.target === 'cuda-f16') return { reply: { overflow: 'beyond fp16' } }
    loaded = ask
    return {
      reply: {
        maxTokens: 512,
        vocabularySize: 1000,
        outputWidth: 2,
        vectorWidth: 2,
        tokenWidth: 0,
        towers: {},
        batchTokens: ask.share?.memoryBytes ?? 512,
        longestRowFits: true,
        provider: 'cpu',
        dtype: 'fp32',
        depth: 1,
        maxBatchTokens: 65_535,
        unusedTensors: [],
        loadMs: 1,
      },
    }
  },

  run: async (batch: RaggedBatch) => {
    const [first] = batch.ids
    if (first === LETHAL) process.exit(3)
    if (first === LOSING) throw new ServerError('device_lost', 'CUDA failure 700: an illegal memory access')
    next.resolve()
    next = Promise.withResolvers()
    if (first !== ALONE) await next.promise
    // What it was loaded with.
    const isHalf = loaded?.target === 'cuda-bf16' ? 1 : 0
    const rows = Float32Array.of(loaded?.share?.memoryBytes ?? 0, isHalf)
    return { reply: { rows, nonFiniteRows: [], runMs: 1 } }
  },
})
