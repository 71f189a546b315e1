/** Apart from `start.ts`, so that threads come up before the rest of the program, zod above all, is read. */
import { InferenceThread } from './runtime/inference-thread.ts'
import { TokenizerThread } from './tokenize/tokenizer.ts'

/** Every thread of a service, and who ends them. */
export class Threads {
  readonly tokenizer = new TokenizerThread()
  readonly #inference = [new InferenceThread()]
  #given = 0

  /** The thread that is up already, then new ones. */
  takeInference(): InferenceThread {
    const thread = this.#inference[this.#given++] ?? new InferenceThread()
    if (!this.#inference.includes(thread)) this.#inference.push(thread)
    return thread
  }

  async close(): Promise<void> {
    await Promise.all([this.tokenizer, ...this.#inference].map((thread) => thread.close()))
  }
}
