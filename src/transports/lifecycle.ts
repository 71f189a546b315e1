import { hideFolders } from '../base/hide-folders.ts'
import { ServerError, stopping } from '../errors.ts'
import type { Service } from '../task.ts'

/**
 * `starting`: models are being loaded. `ready`: they are, and work is taken. `draining`: told to stop, work under way is
 * finished. `failed`: a model could not be loaded, for good. The composition root moves it; probes read it.
 */
export type State = 'starting' | 'ready' | 'draining' | 'failed'

const RETRY_WHILE_LOADING_MS = 1000

/** What a server is doing, from before its models are there until it ends. */
export class Lifecycle<S extends Service = Service> {
  #state: State = 'starting'
  #service: S | undefined
  #failure: ServerError | undefined

  get state(): State {
    return this.#state
  }

  /** Undefined until ready. */
  get service(): S | undefined {
    return this.#service
  }

  /** Why a request cannot be served now; undefined when ready. */
  get refusal(): ServerError | undefined {
    if (this.#state === 'ready') return undefined
    if (this.#state === 'failed') return this.#failure
    if (this.#state === 'draining') return stopping()
    const retryAfterMs = RETRY_WHILE_LOADING_MS
    return new ServerError('starting', 'the models are being loaded', { retryAfterMs })
  }

  /** Whether work can be expected to succeed: ready, and no model has lost its threads for good. */
  get healthy(): boolean {
    return this.#state === 'ready' && (this.#service?.models().every((model) => model.healthy) ?? false)
  }

  ready(service: S): void {
    this.#service = service
    if (this.#state === 'starting') this.#state = 'ready'
  }

  /** Clients are told why, but not where the operator keeps his files. */
  fail(error: ServerError): void {
    this.#failure = new ServerError(error.code, hideFolders(error.message), { cause: error })
    this.#state = 'failed'
  }

  drain(): void {
    this.#state = 'draining'
  }
}
