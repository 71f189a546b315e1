import { loadConfig } from '../src/config.ts'
import type { Engine } from '../src/engine/engine.ts'
import { openFolder } from '../src/model/open-folder.ts'
import { tokenizerOf } from '../src/model/spec.ts'
import { startService } from '../src/start.ts'
import { TokenizerThread } from '../src/tokenize/tokenizer.ts'
import { MODEL } from './harness.ts'

/** The bundled model behind the engine that `handler.ts` opens, and its ids for the bare session. */
export async function openEngineForBench(env: Record<string, string> = {}): Promise<{
  engine: Engine
  rowsOf: (texts: readonly string[]) => Promise<Int32Array[]>
  close: () => Promise<void>
}> {
  const service = await startService({ config: loadConfig(env, []), log: () => {} })
  const tokenizers = new TokenizerThread()
  const tokenizer = await tokenizers.open(tokenizerOf(await openFolder(MODEL)))
  return {
    engine: service.engine,
    async rowsOf(texts) {
      const options = {
        noun: 'text',
        firstIndex: 0,
        truncate: 'right',
        maxTokens: 256,
        vocabularySize: 30_522,
      } as const
      const { ids, bounds } = await tokenizer.texts(texts, { text: '', pooled: true }, options)
      return texts.map((_, b) => ids.slice(bounds[b], bounds[b + 1]))
    },
    async close() {
      await Promise.all([service.close(), tokenizers.close()])
    },
  }
}
