import type { ThreadEvents } from '../base/reviving-thread.ts'
import { RevivingThread } from '../base/reviving-thread.ts'
import type { TargetName } from '../graph/target.ts'
import { TARGETS } from '../graph/target.ts'
import type { ModelSpec } from '../model/spec.ts'
import type { InferenceCalls, LoadReply } from './protocol.ts'
import type { Runner } from './runner.ts'

export interface InferenceOptions extends ThreadEvents {
  readonly target: TargetName
  /** Threads of one operator. */
  readonly threadCount: number
}

const ENTRY = new URL('./thread.ts', import.meta.url)

/** Starts before its model is known, so that Node and ONNX Runtime load while the folder is read. */
export class InferenceThread {
  readonly #thread: RevivingThread<InferenceCalls>

  /** `entry`: another entry file, for tests of a thread that dies. */
  constructor(entry: URL = ENTRY) {
    // ONNX Runtime would keep a device id and a database of events in the home folder, and its reader of the command line
    // crashes on one of 16 kB. It reads the environment of the process, which only the main thread can set.
    process.env['ORT_DISABLE_TELEMETRY'] = '1'
    this.#thread = new RevivingThread(entry, 'inference')
  }

  /** Compiles and loads the model; throws what `buildGraph` throws, or `load_failed`. */
  async load(spec: ModelSpec, options: InferenceOptions): Promise<Runner & { readonly loaded: LoadReply }> {
    const { target, threadCount, ...events } = options
    const loaded = await this.#thread.setUp((thread) => thread.call('load', { spec, target, threadCount }))
    this.#thread.watch(events)
    const { provider, dtype, depth, batchTokens } = TARGETS[target]
    const thread = this.#thread
    return {
      loaded,
      limits: loaded,
      provider,
      dtype,
      depth,
      batchTokens,
      get healthy() {
        return thread.healthy
      },
      run: (batch) => {
        const { ids, bounds, typeStarts, unpooledTokens } = batch
        return this.#thread.call('run', batch, [
          ids.buffer,
          bounds.buffer,
          typeStarts.buffer,
          unpooledTokens.buffer,
        ])
      },
      close: () => this.close(),
    }
  }

  close(): Promise<void> {
    return this.#thread.close()
  }
}
