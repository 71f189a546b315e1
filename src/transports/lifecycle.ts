import type { ServerError } from '../errors.ts'
import type { Service } from '../task.ts'

/**
 * `starting`: models are being loaded. `ready`: they are, and work is taken. `draining`: told to stop, work under way is
 * finished. `failed`: a model could not be loaded, for good. The composition root moves it; probes read it.
 */
export type State = 'starting' | 'ready' | 'draining' | 'failed'

/** What a server is doing, from before its models are there until it ends. */
export class Lifecycle {
  #state: State = 'starting'
  #service: Service | undefined
  #failure: ServerError | undefined

  get state(): State {
    return this.#state
  }

  /** Undefined until ready. */
  get service(): Service | undefined {
    return this.#service
  }

  get failure(): ServerError | undefined {
    return this.#failure
  }

  /** Whether work can be expected to succeed: ready, and no model has lost its threads for good. */
  get healthy(): boolean {
    return this.#state === 'ready' && (this.#service?.models().every((model) => model.healthy) ?? false)
  }

  ready(service: Service): void {
    this.#service = service
    if (this.#state === 'starting') this.#state = 'ready'
  }

  fail(error: ServerError): void {
    this.#failure = error
    this.#state = 'failed'
  }

  drain(): void {
    this.#state = 'draining'
  }
}
