import type { ThreadEvents } from '../base/reviving-thread.ts'
import { RevivingThread } from '../base/reviving-thread.ts'
import type { Device } from '../devices/device.ts'
import { describeDevice } from '../devices/device.ts'
import { ServerError } from '../errors.ts'
import type { TargetName } from '../graph/target.ts'
import type { ModelSpec } from '../model/spec.ts'
import type { Int8Ask } from './int8/protocol.ts'
import { Overflow } from './overflow.ts'
import type {
  ChooseAsk,
  ChooseReply,
  InferenceCalls,
  LoadAsk,
  LoadReply,
  MemoryShare,
  OverflowReply,
  PlaceAsk,
} from './protocol.ts'
import type { RaggedBatch, Runner, RunResult } from './runner.ts'

export interface InferenceOptions extends ThreadEvents {
  readonly target: TargetName
  readonly device: Device
  /** Threads of one operator. */
  readonly threadCount: number
  /** On the CPU: they look for work a moment longer before they sleep, which takes cores from other models; no unless told. */
  readonly spins?: boolean | undefined
  /** Given, the size of batches is found by trying; else it is the target's. */
  readonly share?: MemoryShare | undefined
  /** Where converted weights are kept for the next start. */
  readonly cacheFolder?: string | undefined
  /** Where an earlier start may have kept the model, packed for the processor; on the CPU only. */
  readonly prepackedFolder?: string | undefined
  /** What a model in int8 is calibrated with and held to. */
  readonly int8?: Int8Ask | undefined
  /** The device is gone for this process, for good. */
  readonly onLoss?: ((error: ServerError) => void) | undefined
}

export type LoadedRunner = Runner & { readonly loaded: LoadReply }

const ENTRY = new URL('./thread.ts', import.meta.url)

/** Starts before its model is known, so that Node and ONNX Runtime load while the folder is read. */
export class InferenceThread {
  readonly #thread: RevivingThread<InferenceCalls>
  /**
   * Set once the device takes no more work from this process. Another thread would not help: they share what CUDA keeps for
   * the process.
   */
  #loss: ServerError | undefined
  /** What was loaded last: what a thread that replaces this one is to load. */
  #loaded: LoadAsk | undefined

  /** `entry`: another entry file, for tests of a thread that dies. */
  constructor(entry: URL = ENTRY) {
    this.#thread = new RevivingThread(entry, 'inference')
    // Now there is nothing to do; it is done again in every new thread.
    void this.#thread.setUp(async (thread) => {
      if (this.#loaded !== undefined) orThrow(await thread.call('load', this.#loaded))
    })
  }

  get healthy(): boolean {
    return this.#thread.healthy && this.#loss === undefined
  }

  /** What `chooseTarget` and `fallbackOf` say, asked of the thread: it knows the families already, and the main thread need not. */
  choose(ask: ChooseAsk): Promise<ChooseReply> {
    return this.#thread.call('choose', ask)
  }

  /**
   * Converts the weights and keeps them in the folder, for whoever loads the model next; where it takes none, nothing is done.
   * Throws as `load` does.
   */
  async place(ask: PlaceAsk): Promise<void> {
    orThrow(await this.#thread.call('place', ask))
  }

  /**
   * Compiles and loads the model, in place of what was loaded before. Throws `Overflow` where the target cannot hold its
   * numbers; what `buildGraph` throws; `load_failed`.
   */
  async load(spec: ModelSpec, options: InferenceOptions): Promise<LoadedRunner> {
    const {
      target,
      device,
      threadCount,
      spins,
      share,
      cacheFolder,
      prepackedFolder,
      int8,
      onLoss,
      ...events
    } = options
    const ask = { spec, target, device, threadCount, spins, cacheFolder, prepackedFolder, int8, share }
    const loaded = orThrow(await this.#thread.call('load', ask))
    // A thread that replaces this one is not to try batches of all sizes again: requests wait for it.
    this.#loaded = { ...ask, share: undefined }
    this.#thread.watch(events)
    const { provider, dtype, depth, batchTokens, sharedTokens } = loaded
    const isHealthy = () => this.healthy
    return {
      loaded,
      limits: loaded,
      towers: loaded.towers,
      provider,
      dtype,
      depth,
      batchTokens,
      sharedTokens,
      get healthy() {
        return isHealthy()
      },
      run: (batch) => this.#run(batch, device, onLoss),
      close: () => this.close(),
    }
  }

  close(): Promise<void> {
    return this.#thread.close()
  }

  /** Posted at once, whatever is under way: the next batch lies in the thread's queue when this one ends. */
  async #run(batch: RaggedBatch, device: Device, onLoss: InferenceOptions['onLoss']): Promise<RunResult> {
    if (this.#loss !== undefined) throw this.#loss
    const { ids, bounds, typeStarts, unpooledTokens, adapters } = batch
    const arrays = [ids, bounds, typeStarts, unpooledTokens, adapters]
    const buffers = arrays.map((array) => array.buffer)
    try {
      return await this.#thread.call('run', batch, buffers)
    } catch (error) {
      if (!(error instanceof ServerError) || error.code !== 'device_lost') throw error
      // The batches behind it fail alike; it is told once.
      if (this.#loss === undefined) {
        const message = `${describeDevice(device)} takes no more work from this process: ${error.message}`
        this.#loss = new ServerError('device_lost', message, { cause: error })
        onLoss?.(this.#loss)
      }
      throw this.#loss
    }
  }
}

function orThrow<T extends object>(reply: T | OverflowReply): T {
  if ('overflow' in reply) throw new Overflow(reply.overflow)
  return reply
}
