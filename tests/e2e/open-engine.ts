/** Several golden folders behind one engine, for tests of routes. */
import { join } from 'node:path'
import type { Engine } from '../../src/engine/engine.ts'
import { openEngine } from '../../src/engine/engine.ts'
import { MediaThreads } from '../../src/media/media.ts'
import { openMediaReader } from '../../src/media/read-media.ts'
import type { OpenModel } from '../open-model.ts'
import { openModel } from '../open-model.ts'

const GOLDEN = join(import.meta.dirname, '../golden')

/** Folders of models that see and hear, below tests/golden. They embed texts too, so that they are best in an engine of their own. */
export const MEDIA_FOLDERS = ['_vision/clip', 'clap/clap-unfused']
/** Routes whose examples are for them. */
export const MEDIA_ROUTES = ['/embeddings_image', '/embeddings_audio', '/v1/multimodalembeddings']

const LIMITS = { maxBytes: 1e6, maxPixels: 1e6, maxSeconds: 10, timeoutMs: 1000 }

export interface OpenedEngine {
  readonly engine: Engine
  readonly close: () => Promise<void>
}

/** `folders`: below tests/golden, or absolute. Nothing is fetched. `names`: those of the folders unless told. */
export async function openEngineOf(
  folders: readonly string[],
  {
    names = folders,
    tokenInput = 'cl100k',
  }: { names?: readonly string[]; tokenInput?: 'cl100k' | 'native' } = {},
): Promise<OpenedEngine> {
  const opened: OpenModel[] = []
  for (const folder of folders)
    opened.push(await openModel(folder.startsWith('/') ? folder : join(GOLDEN, folder, 'model')))
  const models = opened.map(({ spec, runner, tokenizer }, index) => ({
    spec,
    runner,
    tokenizer,
    names: [names[index] ?? ''] as const,
    batchSize: 32,
    maxBatchTokens: 512,
    dtypeRequested: 'auto',
  }))
  const thread = new MediaThreads()
  const media = openMediaReader({ thread, policy: 'off', ...LIMITS })
  const engine = openEngine(models, { queueSize: 48_000, tokenInput, cl100k: async () => [], media })
  const close = async () => {
    await thread.close()
    for (const model of opened) await model.close()
  }
  return { engine, close }
}
