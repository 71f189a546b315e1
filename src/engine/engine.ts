/** The service: every task becomes rows of one model, and rows become its result. */
import type { BatchFacts } from '../base/metrics.ts'
import { ServerError } from '../errors.ts'
import type { ModelSpec } from '../model/spec.ts'
import type { Runner } from '../runtime/runner.ts'
import type {
  CallOptions,
  Capability,
  ClassifyTask,
  EmbedTask,
  ModelInfo,
  RerankTask,
  Service,
  Truncation,
} from '../task.ts'
import type { Prompt, RowOptions, TokenizedQuery, Tokenizer } from '../tokenize/tokenizer.ts'
import { findModel } from './find-model.ts'
import { cutVectors, splitScores } from './finish.ts'
import { ModelLane } from './model-lane.ts'

export interface LoadedModel {
  readonly spec: ModelSpec
  readonly runner: Runner
  readonly tokenizer: Tokenizer
  /** Names under which it is served, the first one shown. */
  readonly names: readonly [string, ...string[]]
  readonly batchSize: number
  /** Undefined: what suits the runner. */
  readonly maxBatchTokens: number | undefined
  readonly dtypeRequested: string
}

export interface EngineOptions {
  readonly queueSize: number
  readonly now?: () => number
  /** Told of every batch that ran, with the name of its model. */
  readonly onBatch?: ((model: string, batch: BatchFacts) => void) | undefined
}

export interface Engine extends Service {
  readonly close: () => Promise<void>
}

interface Served {
  readonly model: LoadedModel
  readonly lane: ModelLane
  readonly info: ModelInfo
  readonly maxTokens: number
}

/** Characters of one text: far above what any model reads. One without a space is read to its end, a second or two. */
export const MAX_TEXT_CHARACTERS = 1_048_576

/** Attention is padded to the longest row of a batch; this many times the token budget bounds what that can waste. */
const PADDING_FACTOR = 2

const NO_PROMPT: Prompt = { text: '', pooled: true }

export function openEngine(models: readonly LoadedModel[], options: EngineOptions): Engine {
  const served = models.map((model) => serve(model, options))
  return {
    embed: async (task, options) => embed(findModel(served, 'embed', task.model), task, options),
    rerank: async (task, options) => rerank(findModel(served, 'rerank', task.model), task, options),
    classify: async (task, options) => classify(findModel(served, 'classify', task.model), task, options),
    models: () =>
      served.map(({ info, lane, model }) => ({ ...info, stats: lane.stats, healthy: isHealthy(model) })),
    close: async () => {
      await Promise.all(served.map(({ lane }) => lane.close()))
    },
  }
}

function isHealthy({ runner, tokenizer }: LoadedModel): boolean {
  return runner.healthy && tokenizer.healthy
}

function serve(model: LoadedModel, options: EngineOptions): Served {
  const { queueSize, now = () => performance.now(), onBatch } = options
  const { spec, runner, names, batchSize } = model
  const maxBatchTokens = model.maxBatchTokens ?? runner.batchTokens
  const limits = {
    maxRows: batchSize,
    maxTokens: maxBatchTokens,
    maxPaddedTokens: PADDING_FACTOR * maxBatchTokens,
  }
  const [name] = names
  const lane = new ModelLane({
    name,
    runner,
    limits,
    queueSize,
    now,
    onBatch: (batch) => onBatch?.(name, batch),
  })
  const maxTokens = Math.min(spec.tokenizer.maxTokens ?? Infinity, runner.limits.maxTokens)
  const [id, ...aliases] = names
  const width = runner.limits.outputWidth
  const info: ModelInfo = {
    id,
    aliases,
    capabilities: capabilitiesOf(spec, model.tokenizer.joinsPairs),
    dimensions:
      spec.head.kind === 'embedding' ? Math.min(spec.truncateDimensions ?? width, width) : undefined,
    maxTokens,
    dtype: runner.dtype,
    dtypeRequested: model.dtypeRequested,
    provider: runner.provider,
    batchSize,
    readyAt: Math.floor(Date.now() / 1000),
    stats: lane.stats,
    healthy: true,
  }
  return { model, lane, info, maxTokens }
}

function capabilitiesOf({ head }: ModelSpec, joinsPairs: boolean): Capability[] {
  if (head.kind === 'embedding') return ['embed']
  return head.labels.length === 1 && joinsPairs ? ['rerank', 'classify'] : ['classify']
}

async function embed(served: Served, task: EmbedTask, options: CallOptions = {}) {
  const { spec, runner, tokenizer } = served.model
  const { texts } = task
  expectReadable(texts, 'text')
  const prompt = findPrompt(spec, task.promptName)
  const width = runner.limits.outputWidth
  const dimensions = findDimensions(served, task.dimensions)
  const { rows, textTokens, runMs } = await served.lane.submit({
    ...submission('text', [texts], task.truncate),
    tokenize: (from, to) =>
      tokenizer.texts(texts.slice(from, to), prompt, rowOptions(served, task.truncate, 'text', from)),
    options,
  })
  // A cut that the model's files ask for leaves the vector as it is, as the reference does; a client's cut is made whole.
  const renormalize = task.dimensions !== undefined && isNormalized(spec)
  const vectors = cutVectors(rows, width, dimensions, renormalize)
  return { model: served.info.id, dimensions, vectors, promptTokens: textTokens, runMs }
}

async function rerank(served: Served, task: RerankTask, options: CallOptions = {}) {
  const { query, documents, truncate } = task
  const { tokenizer, spec } = served.model
  expectReadable([query], 'query')
  expectReadable(documents, 'document')
  // Tokenized once, when the first documents are.
  let tokenizedQuery: Promise<TokenizedQuery> | undefined
  const { rows, textTokens, runMs } = await served.lane.submit({
    ...submission('document', [documents], truncate),
    tokenize: async (from, to) => {
      tokenizedQuery ??= tokenizer.query(
        findPrompt(spec).text + query,
        rowOptions(served, truncate, 'query', 0),
      )
      const rowsAsked = rowOptions(served, truncate, 'document', from)
      return tokenizer.pairs(await tokenizedQuery, documents.slice(from, to), rowsAsked)
    },
    options,
  })
  return { model: served.info.id, ...splitScores(rows, 1), promptTokens: textTokens, runMs }
}

async function classify(served: Served, task: ClassifyTask, options: CallOptions = {}) {
  const { texts, pairs, truncate } = task
  const { tokenizer, spec } = served.model
  const labels = spec.head.kind === 'classification' ? spec.head.labels : []
  expectReadable(texts, 'text')
  if (pairs !== undefined) {
    expectReadable(pairs, 'pair')
    if (pairs.length !== texts.length) {
      throw new ServerError(
        'invalid_request',
        `there are ${texts.length} texts and ${pairs.length} second texts`,
      )
    }
  }
  const { rows, textTokens, runMs } = await served.lane.submit({
    ...submission('text', [texts, pairs ?? []], truncate),
    tokenize: (from, to) => {
      const rowsAsked = rowOptions(served, truncate, 'text', from)
      const prompt = findPrompt(spec)
      if (pairs === undefined) return tokenizer.texts(texts.slice(from, to), prompt, rowsAsked)
      const first = texts.slice(from, to).map((text) => prompt.text + text)
      return tokenizer.pairs(first, pairs.slice(from, to), rowsAsked)
    },
    options,
  })
  return {
    model: served.info.id,
    labels,
    ...splitScores(rows, labels.length),
    promptTokens: textTokens,
    runMs,
  }
}

/** `sides`: the texts of each item, a list for each side of a pair. */
function submission(noun: string, sides: readonly (readonly string[])[], truncate: Truncation | undefined) {
  const [first = []] = sides
  const sizes = first.map((_, index) => sides.reduce((sum, side) => sum + (side[index]?.length ?? 0), 0))
  return { noun, sizes, tokenizeFirst: truncate === 'none' }
}

function rowOptions(
  served: Served,
  truncate: Truncation | undefined,
  noun: string,
  firstIndex: number,
): RowOptions {
  const { spec, runner } = served.model
  return {
    noun,
    firstIndex,
    truncate: truncate ?? spec.tokenizer.truncationSide,
    maxTokens: served.maxTokens,
    vocabularySize: runner.limits.vocabularySize,
  }
}

function expectReadable(texts: readonly string[], noun: string): void {
  if (texts.length === 0)
    throw new ServerError('invalid_request', `there is no ${noun}; at least one is needed`)
  for (const [index, text] of texts.entries()) {
    if (text.length <= MAX_TEXT_CHARACTERS) continue
    throw new ServerError(
      'invalid_request',
      `${noun} ${index} has ${text.length} characters; a ${noun} may have ${MAX_TEXT_CHARACTERS}`,
    )
  }
}

function findPrompt(spec: ModelSpec, name = spec.defaultPromptName): Prompt {
  if (name === undefined) return NO_PROMPT
  const { head, prompts } = spec
  const pooling = head.kind === 'embedding' ? head.steps.find((step) => step.kind === 'pooling') : undefined
  if (Object.hasOwn(prompts, name))
    return { text: prompts[name] as string, pooled: pooling?.includePrompt ?? true }
  const known = Object.keys(prompts).join(', ')
  throw new ServerError('invalid_request', `prompt "${name}" is unknown; ${spec.name} has: ${known}`)
}

function findDimensions({ info, model }: Served, asked: number | undefined): number {
  const width = model.runner.limits.outputWidth
  if (asked === undefined) return info.dimensions ?? width
  if (asked >= 1 && asked <= width) return asked
  throw new ServerError('invalid_request', `dimensions is ${asked}; ${info.id} has 1 to ${width}`)
}

function isNormalized({ head }: ModelSpec): boolean {
  return head.kind === 'embedding' && head.steps.at(-1)?.kind === 'normalize'
}
