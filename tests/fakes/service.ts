/** An engine that answers at once, and keeps what it was asked. */
import type { WireResponse } from '../../src/dialects/dispatch.ts'
import type {
  CallOptions,
  ClassifyResult,
  ClassifyTask,
  DecodeResult,
  DecodeTask,
  EmbedMediaTask,
  EmbedMultiResult,
  EmbedMultiTask,
  EmbedResult,
  EmbedSparseResult,
  EmbedSparseTask,
  EmbedTask,
  EmbedTokensResult,
  EmbedTokensTask,
  MediaItem,
  ModelInfo,
  RerankResult,
  RerankTask,
  ResultFacts,
  Service,
  Task,
  Token,
  TokenizeResult,
  TokenizeTask,
} from '../../src/task.ts'

export interface FakeServiceOptions {
  readonly model?: string
  readonly vector?: (text: string) => readonly number[]
  readonly mediaVector?: (item: MediaItem) => readonly number[]
  readonly mediaMaxBytes?: number
  /** The vectors of a text's tokens. */
  readonly tokenVectors?: (text: string) => readonly (readonly number[])[]
  /** Index and weight in turn of a text's sparse vector. */
  readonly sparse?: (text: string) => readonly number[]
  readonly score?: (document: string, index: number) => number
  /** What an activation made a score of; the score itself unless told. */
  readonly logit?: (score: number) => number
  readonly labels?: readonly string[]
  /** A score for each label. */
  readonly labelScores?: (text: string) => readonly number[]
  readonly tokens?: (text: string) => readonly Token[]
  readonly decode?: (ids: readonly number[], index: number) => string
  readonly promptTokens?: number
  /** What every result says besides. */
  readonly facts?: Partial<ResultFacts>
  readonly models?: readonly ModelInfo[]
  /** Thrown by every task. */
  readonly error?: unknown
}

export class FakeService implements Service {
  readonly tasks: Task[] = []
  readonly signals: (AbortSignal | undefined)[] = []
  readonly #options: FakeServiceOptions

  constructor(options: FakeServiceOptions = {}) {
    this.#options = options
  }

  readonly embed = async (task: EmbedTask, options?: CallOptions): Promise<EmbedResult> => {
    this.#take(task, options)
    const { vector = () => [0.01, -0.02] } = this.#options
    const vectors = task.texts.map((text) => vector(text))
    return {
      ...this.#facts(),
      dimensions: vectors[0]?.length ?? 0,
      vectors: Float32Array.from(vectors.flat()),
    }
  }

  readonly embedMedia = async (task: EmbedMediaTask, options?: CallOptions): Promise<EmbedResult> => {
    this.#take(task, options)
    const { vector = () => [0.01, -0.02], mediaVector = mediaSize } = this.#options
    const vectors = task.items.map((item) => (typeof item === 'string' ? vector(item) : mediaVector(item)))
    return {
      ...this.#facts(),
      dimensions: vectors[0]?.length ?? 0,
      vectors: Float32Array.from(vectors.flat()),
    }
  }

  readonly embedTokens = async (task: EmbedTokensTask, options?: CallOptions): Promise<EmbedTokensResult> => {
    this.#take(task, options)
    const { tokenVectors = (text) => Array.from(text, (_, index) => [index, 0.5]) } = this.#options
    const texts = task.texts.map((text) => tokenVectors(text))
    const width = texts[0]?.[0]?.length ?? 0
    return { ...this.#facts(), width, tokens: texts.map((vectors) => Float32Array.from(vectors.flat())) }
  }

  readonly embedMulti = async (task: EmbedMultiTask, options?: CallOptions): Promise<EmbedMultiResult> => {
    this.#take(task, options)
    const { tokenVectors = (text) => Array.from(text, (_, index) => [index, 0.5]) } = this.#options
    const texts = task.texts.map((text) => tokenVectors(text))
    const vectors = texts.map((tokens) => Float32Array.from(tokens.flat()))
    return { ...this.#facts(), dimensions: texts[0]?.[0]?.length ?? 2, vectors }
  }

  readonly embedSparse = async (task: EmbedSparseTask, options?: CallOptions): Promise<EmbedSparseResult> => {
    this.#take(task, options)
    const { sparse = (text) => [text.length, 0.5] } = this.#options
    return { ...this.#facts(), pairs: task.texts.map((text) => Float32Array.from(sparse(text))) }
  }

  readonly rerank = async (task: RerankTask, options?: CallOptions): Promise<RerankResult> => {
    this.#take(task, options)
    const { score = () => 0.5, logit = (value) => value } = this.#options
    const scores = Float32Array.from(task.documents, score)
    return { ...this.#facts(), scores, logits: scores.map(logit) }
  }

  readonly classify = async (task: ClassifyTask, options?: CallOptions): Promise<ClassifyResult> => {
    this.#take(task, options)
    const { labels = ['LABEL_0'], labelScores = () => labels.map(() => 0) } = this.#options
    const { logit = (value: number) => value } = this.#options
    const scores = Float32Array.from(task.texts.flatMap((text) => labelScores(text)))
    return { ...this.#facts(), labels, scores, logits: scores.map(logit) }
  }

  readonly tokenize = async (task: TokenizeTask, options?: CallOptions): Promise<TokenizeResult> => {
    this.#take(task, options)
    const { tokens = letters } = this.#options
    return { model: this.#facts().model, tokens: task.texts.map((text) => tokens(text)) }
  }

  readonly decode = async (task: DecodeTask, options?: CallOptions): Promise<DecodeResult> => {
    this.#take(task, options)
    const { decode = (ids) => ids.join(' ') } = this.#options
    return { texts: task.ids.map(decode) }
  }

  get mediaMaxBytes(): number | undefined {
    return this.#options.mediaMaxBytes
  }

  readonly models = (): readonly ModelInfo[] => this.#options.models ?? []

  #take(task: Task, options: CallOptions = {}): void {
    this.tasks.push(task)
    this.signals.push(options.signal)
    if (this.#options.error !== undefined) throw this.#options.error
  }

  #facts(): ResultFacts {
    const { model = 'served-model', promptTokens = 2, facts } = this.#options
    const timing = { tokenizeMs: 1, queueMs: 2, runMs: 3 }
    return { model, promptTokens, truncatedItems: 0, timing, ...facts }
  }
}

/** Tells by its numbers how long the address is, or the file. */
function mediaSize({ source }: MediaItem): readonly number[] {
  return 'url' in source ? [source.url.length, 0.5, 0.1] : [source.bytes.length, 0.5, 0.1]
}

/** A token for each character. */
function letters(text: string): Token[] {
  return Array.from(text, (letter, start) => ({
    id: letter.codePointAt(0) ?? 0,
    text: letter,
    special: false,
    start,
    stop: start + 1,
  }))
}

/** The body of an answer; throws the error of a failure. */
export async function bodyOf(response: Promise<WireResponse>): Promise<object | undefined> {
  const { body, error } = await response
  if (error !== undefined) throw error
  return body
}

/** What a failure says. */
export async function refusal(
  response: Promise<WireResponse>,
): Promise<{ status: number; code: string | undefined; message: string | undefined }> {
  const { status, error } = await response
  return { status, code: error?.code, message: error?.message }
}
