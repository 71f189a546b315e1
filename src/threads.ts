/** Apart from `start.ts`, so that threads come up before the rest of the program, zod above all, is read. */
import { disableTelemetry } from './devices/ort-environment.ts'
import { MediaThreads } from './media/media.ts'
import { InferenceThread } from './runtime/inference-thread.ts'
import { Cl100kDecoder } from './tokenize/cl100k-decoder.ts'
import { TokenizerThread } from './tokenize/tokenizer.ts'

/** Every thread of a service, and who ends them. */
export class Threads {
  readonly tokenizer: TokenizerThread
  /** Comes up when it is first asked. */
  readonly cl100k: Cl100kDecoder
  readonly #inference: InferenceThread[]
  #media: MediaThreads | undefined
  #given = 0

  constructor() {
    disableTelemetry()
    this.tokenizer = new TokenizerThread()
    this.cl100k = new Cl100kDecoder()
    this.#inference = [new InferenceThread()]
  }

  /** The thread that is up already, then new ones. */
  takeInference(): InferenceThread {
    const thread = this.#inference[this.#given++] ?? new InferenceThread()
    if (!this.#inference.includes(thread)) this.#inference.push(thread)
    return thread
  }

  /** Made when it is first asked for: most models read texts alone. */
  get media(): MediaThreads {
    this.#media ??= new MediaThreads()
    return this.#media
  }

  async close(): Promise<void> {
    const media = this.#media === undefined ? [] : [this.#media]
    const threads = [this.tokenizer, this.cl100k, ...media, ...this.#inference]
    await Promise.all(threads.map((thread) => thread.close()))
  }
}
