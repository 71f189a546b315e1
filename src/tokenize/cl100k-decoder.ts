import { RevivingThread } from '../base/reviving-thread.ts'
import { stopping } from '../errors.ts'
import { decodeLists } from './id-lists.ts'
import type { Cl100kCalls, DecodeCall } from './protocol.ts'

/**
 * Clients made for OpenAI send ids of its own vocabulary, cl100k_base, whatever the model is. Few do, so the thread that
 * knows it (80 MB) is started by the first call.
 */
export class Cl100kDecoder {
  readonly #file: URL
  #thread: RevivingThread<Cl100kCalls> | undefined
  #closed = false

  constructor(file = new URL('./cl100k-thread.ts', import.meta.url)) {
    this.#file = file
  }

  /**
   * The text of each list. A special id becomes its name, `<|endoftext|>` say: a client gets one only from a text in which
   * that name stood. Bytes that are no whole character, where a client cut its text inside one, become U+FFFD. Throws
   * `invalid_request` for a number that is no id, naming its list, and `cancelled`.
   */
  async decode(ids: readonly (readonly number[])[], call: DecodeCall = {}): Promise<string[]> {
    if (this.#closed) throw stopping()
    const thread = (this.#thread ??= new RevivingThread<Cl100kCalls>(this.#file, 'cl100k'))
    return decodeLists(ids, call, (lists) => thread.callOnceMore('decode', { lists }))
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#thread?.close()
  }
}
