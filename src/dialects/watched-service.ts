import type {
  CallOptions,
  ClassifyTask,
  DecodeTask,
  EmbedMediaTask,
  EmbedMultiTask,
  EmbedSparseTask,
  EmbedTask,
  EmbedTokensTask,
  ModelInfo,
  RerankTask,
  ResultFacts,
  Service,
  TokenizeTask,
} from '../task.ts'

/** The service of one request, which tells afterwards which model did the work, and how: whatever the dialect shows of it. */
export class WatchedService implements Service {
  readonly #service: Service
  readonly #startMs = performance.now()
  #facts: ResultFacts[] = []
  #characters = 0

  constructor(service: Service) {
    this.#service = service
  }

  /** The model that answered: a client's own spelling is no label for a metric. */
  get model(): string | undefined {
    return this.#facts[0]?.model
  }

  /** As Text Embeddings Inference has them, times in milliseconds; and what a client would not see in the body. */
  get headers(): Readonly<Record<string, string>> {
    const [first] = this.#facts
    if (first === undefined) return {}
    const total = (read: (facts: ResultFacts) => number) =>
      this.#facts.reduce((sum, facts) => sum + read(facts), 0)
    const ms = (read: (facts: ResultFacts) => number) => String(Math.round(total(read)))
    const totalMs = String(Math.round(performance.now() - this.#startMs))
    const truncated = total(({ truncatedItems }) => truncatedItems)
    const { ignoredPrompt } = first
    return {
      'x-model': headerText(first.model),
      'x-compute-type': this.#service.models().find(({ id }) => id === first.model)?.provider ?? 'cpu',
      'x-compute-time': totalMs,
      'x-compute-characters': String(this.#characters),
      'x-compute-tokens': String(total(({ promptTokens }) => promptTokens)),
      'x-total-time': totalMs,
      'x-tokenization-time': ms(({ timing }) => timing.tokenizeMs),
      'x-queue-time': ms(({ timing }) => timing.queueMs),
      'x-inference-time': ms(({ timing }) => timing.runMs),
      ...(truncated === 0 ? {} : { 'x-truncated': String(truncated) }),
      ...(ignoredPrompt === undefined ? {} : { 'x-ignored-prompt': headerText(ignoredPrompt) }),
    }
  }

  async embed(task: EmbedTask, options?: CallOptions) {
    return this.#note(await this.#service.embed(task, options), task.texts)
  }

  async embedMedia(task: EmbedMediaTask, options?: CallOptions) {
    const texts = task.items.filter((item) => typeof item === 'string')
    return this.#note(await this.#service.embedMedia(task, options), texts)
  }

  async embedTokens(task: EmbedTokensTask, options?: CallOptions) {
    return this.#note(await this.#service.embedTokens(task, options), task.texts)
  }

  async embedMulti(task: EmbedMultiTask, options?: CallOptions) {
    return this.#note(await this.#service.embedMulti(task, options), task.texts)
  }

  async embedSparse(task: EmbedSparseTask, options?: CallOptions) {
    return this.#note(await this.#service.embedSparse(task, options), task.texts)
  }

  async rerank(task: RerankTask, options?: CallOptions) {
    const queries = typeof task.query === 'string' ? [task.query] : task.query
    return this.#note(await this.#service.rerank(task, options), queries, task.documents)
  }

  async classify(task: ClassifyTask, options?: CallOptions) {
    return this.#note(await this.#service.classify(task, options), task.texts, task.pairs)
  }

  tokenize(task: TokenizeTask, options?: CallOptions) {
    return this.#service.tokenize(task, options)
  }

  decode(task: DecodeTask, options?: CallOptions) {
    return this.#service.decode(task, options)
  }

  get mediaMaxBytes(): number | undefined {
    return this.#service.mediaMaxBytes
  }

  models(): readonly ModelInfo[] {
    return this.#service.models()
  }

  #note<R extends ResultFacts>(result: R, ...texts: (readonly string[] | undefined)[]): R {
    this.#facts.push(result)
    for (const list of texts) for (const text of list ?? []) this.#characters += text.length
    return result
  }
}

/** Headers hold ASCII; what is not is written as in an address. */
function headerText(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]+/g, (part) => encodeURIComponent(part.toWellFormed()))
}
