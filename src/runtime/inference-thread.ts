import { ThreadClient } from '../base/thread-client.ts'
import type { TargetName } from '../graph/target.ts'
import type { ModelSpec } from '../model/spec.ts'
import type { InferenceCalls, LoadReply } from './protocol.ts'
import type { RaggedBatch, Runner } from './runner.ts'

export interface InferenceOptions {
  readonly target: TargetName
  /** Threads of one operator. */
  readonly threadCount: number
  /** Told each time the thread dies and is started again. */
  readonly onRestart?: (error: unknown) => void
  /** Another entry file, for tests of a thread that dies. */
  readonly entry?: URL
}

const ENTRY = new URL('./thread.ts', import.meta.url)

/** Starts the thread before its model is known, so that Node and ONNX Runtime load while the folder is read. */
export class InferenceThread {
  readonly #entry: URL
  #thread: ThreadClient<InferenceCalls>

  constructor(entry: URL = ENTRY) {
    this.#entry = entry
    this.#thread = new ThreadClient(entry, 'inference')
  }

  /** Compiles and loads the model; throws what `buildGraph` throws, or `model_invalid`. */
  async load(
    spec: ModelSpec,
    options: Omit<InferenceOptions, 'entry'>,
  ): Promise<Runner & { readonly loaded: LoadReply }> {
    const { target, threadCount, onRestart } = options
    const ask = { spec, target, threadCount }
    const loaded = await this.#thread.call('load', ask)
    let restarting: Promise<unknown> | undefined

    // Whoever comes first after a death starts the new thread; the others wait for it.
    const revive = async (): Promise<void> => {
      if (this.#thread.alive) return
      restarting ??= (async () => {
        this.#thread = new ThreadClient(this.#entry, 'inference')
        await this.#thread.call('load', ask)
      })().finally(() => (restarting = undefined))
      await restarting
    }

    return {
      loaded,
      limits: loaded,
      depth: 1,
      run: async (batch: RaggedBatch) => {
        await (restarting ?? revive())
        const { ids, bounds, typeStarts, unpooledTokens } = batch
        const buffers = [ids.buffer, bounds.buffer, typeStarts.buffer, unpooledTokens.buffer]
        try {
          return await this.#thread.call('run', batch, buffers)
        } catch (error) {
          if (!this.#thread.alive) onRestart?.(error)
          throw error
        }
      },
      close: () => this.#thread.close(),
    }
  }

  close(): Promise<void> {
    return this.#thread.close()
  }
}
