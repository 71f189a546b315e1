/** An engine that answers at once, and keeps what it was asked. */
import type { WireResponse } from '../../src/dialects/dispatch.ts'
import type {
  CallOptions,
  ClassifyResult,
  ClassifyTask,
  EmbedResult,
  EmbedTask,
  ModelInfo,
  RerankResult,
  RerankTask,
  Service,
} from '../../src/task.ts'

export interface FakeServiceOptions {
  readonly model?: string
  readonly vector?: (text: string) => readonly number[]
  readonly score?: (document: string) => number
  readonly promptTokens?: number
  readonly models?: readonly ModelInfo[]
  /** Thrown by every task. */
  readonly error?: unknown
}

export class FakeService implements Service {
  readonly tasks: (EmbedTask | RerankTask | ClassifyTask)[] = []
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

  readonly rerank = async (task: RerankTask, options?: CallOptions): Promise<RerankResult> => {
    this.#take(task, options)
    const { score = () => 0.5 } = this.#options
    const scores = Float32Array.from(task.documents, score)
    return { ...this.#facts(), scores, logits: scores }
  }

  readonly classify = async (task: ClassifyTask, options?: CallOptions): Promise<ClassifyResult> => {
    this.#take(task, options)
    const scores = new Float32Array(task.texts.length)
    return { ...this.#facts(), labels: ['LABEL_0'], scores, logits: scores }
  }

  readonly models = (): readonly ModelInfo[] => this.#options.models ?? []

  #take(task: EmbedTask | RerankTask | ClassifyTask, options: CallOptions = {}): void {
    this.tasks.push(task)
    this.signals.push(options.signal)
    if (this.#options.error !== undefined) throw this.#options.error
  }

  #facts() {
    const { model = 'served-model', promptTokens = 2 } = this.#options
    return { model, promptTokens, runMs: 1 }
  }
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
