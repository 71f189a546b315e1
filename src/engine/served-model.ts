import type { BatchFacts } from '../base/metrics.ts'
import type { Head, ModelSpec } from '../model/spec.ts'
import type { Runner } from '../runtime/runner.ts'
import { PADDING_FACTOR } from '../runtime/runner.ts'
import type { Capability, ModelInfo } from '../task.ts'
import type { Tokenizer } from '../tokenize/tokenizer.ts'
import { MediaSlots } from './media-slots.ts'
import type { ReuseSource } from './model-lane.ts'
import { ModelLane } from './model-lane.ts'
import type { ResultCache } from './result-cache.ts'
import { Turns } from './turns.ts'

export interface LoadedModel {
  readonly spec: ModelSpec
  readonly runner: Runner
  /** Undefined: the model reads no text. */
  readonly tokenizer: Tokenizer | undefined
  /** Names under which it is served, the first one shown. */
  readonly names: readonly [string, ...string[]]
  readonly batchSize: number
  /** Undefined: what suits the runner. */
  readonly maxBatchTokens: number | undefined
  readonly dtypeRequested: string
}

export interface ServedModelOptions {
  /** Items that may wait for a model. */
  readonly queueSize: number
  /** Tokens that may wait for a model; undefined: as many as the items can have. */
  readonly queueTokens?: number | undefined
  readonly now?: () => number
  /** Told of every batch that ran, with the name of its model. */
  readonly onBatch?: ((model: string, batch: BatchFacts) => void) | undefined
  /** Results of all models; undefined: none are kept. */
  readonly cache?: ResultCache | undefined
  /** Told of items that were answered without a place in a batch. */
  readonly onReuse?: ((model: string, itemCount: number, source: ReuseSource) => void) | undefined
  /** Told when a model's device ran out of memory: tokens that its batches may have from now on. */
  readonly onBudget?: ((model: string, maxTokens: number) => void) | undefined
}

/** A loaded model with its queue, and what is said of it. */
export interface ServedModel {
  readonly model: LoadedModel
  readonly lane: ModelLane
  /** Of requests whose rows are scored on this thread. */
  readonly scoreTurns: Turns
  /** Of pictures and sounds between their source and the device. */
  readonly mediaSlots: MediaSlots
  /** The same of requests that have some fetched: those that bring theirs do not wait for hosts, however slow. */
  readonly fetchSlots: MediaSlots
  /** As it was when it was ready; `describe` has its state of now. */
  readonly info: ModelInfo
}

/** Six times as many as are read at a time: a few dozen prepared pictures are 30 MB. */
const MEDIA_SLOTS = 48

export function serveModel(model: LoadedModel, options: ServedModelOptions): ServedModel {
  const { queueSize, now = () => performance.now(), onBatch, cache, onReuse, onBudget } = options
  const { runner, names, batchSize } = model
  // Unless told none is refused that would find room by its items.
  const { queueTokens = queueSize * longestRow(runner) } = options
  const maxBatchTokens = model.maxBatchTokens ?? runner.batchTokens
  const [name] = names
  const lane = new ModelLane({
    name,
    runner,
    limits: {
      maxRows: batchSize,
      maxTokens: maxBatchTokens,
      maxPaddedTokens: PADDING_FACTOR * maxBatchTokens,
      sharedTokens: runner.sharedTokens,
    },
    queueSize,
    queueTokens,
    maxRowTokens: maxTokensOf(model),
    now,
    onBatch: (batch) => onBatch?.(name, batch),
    cache,
    onReuse: (itemCount, source) => onReuse?.(name, itemCount, source),
    onBudget: (maxTokens) => onBudget?.(name, maxTokens),
  })
  const info = infoOf(model, { lane, queueSize, maxBatchTokens })
  const [mediaSlots, fetchSlots] = [new MediaSlots(MEDIA_SLOTS), new MediaSlots(MEDIA_SLOTS)]
  return { model, lane, scoreTurns: new Turns(), mediaSlots, fetchSlots, info }
}

/** What is said of a model, as it is now. */
export function describe({ model, lane, info }: ServedModel): ModelInfo {
  const healthy = model.runner.healthy && model.tokenizer?.healthy !== false
  return { ...info, maxBatchTokens: lane.maxBatchTokens, stats: lane.stats, healthy }
}

interface Queue {
  readonly lane: ModelLane
  readonly queueSize: number
  readonly maxBatchTokens: number
}

function infoOf(model: LoadedModel, { lane, queueSize, maxBatchTokens }: Queue): ModelInfo {
  const { spec, runner, tokenizer, names, batchSize, dtypeRequested } = model
  const { head, prompts, adapters = [] } = spec
  const { vectorWidth } = runner.limits
  const [id, ...aliases] = names
  const cut = head.kind === 'embedding' ? spec.truncateDimensions : undefined
  return {
    id,
    aliases,
    capabilities: capabilitiesOf(spec, tokenizer?.joinsPairs === true),
    dimensions: head.kind === 'classification' ? undefined : Math.min(cut ?? vectorWidth, vectorWidth),
    pooling: tokenizer && poolingOf(head),
    labels: head.kind === 'classification' ? head.labels : [],
    prompts: Object.keys(prompts),
    adapters,
    maxTokens: maxTokensOf(model),
    dtype: runner.dtype,
    dtypeRequested,
    provider: runner.provider,
    batchSize,
    maxBatchTokens,
    queueSize,
    readyAt: Math.floor(Date.now() / 1000),
    stats: lane.stats,
    healthy: true,
  }
}

/** That a row may have, special tokens included. */
function maxTokensOf({ spec, runner }: LoadedModel): number {
  return Math.min(ownMaxTokens(spec) ?? Infinity, runner.limits.maxTokens)
}

/** A multi-vector model's documents are cut as its files say, whatever its tokenizer would take. */
function ownMaxTokens({ head, tokenizer }: ModelSpec): number | undefined {
  const own = head.kind === 'multi_vector' ? head.rules.document.maxTokens : undefined
  return own ?? tokenizer?.maxTokens
}

/** Tokens that a row may have, whichever side of the model reads it. */
function longestRow({ limits, towers }: Runner): number {
  return Math.max(limits.maxTokens, towers.image?.maxTokens ?? 0, towers.audio?.maxTokens ?? 0)
}

function poolingOf(head: Head): string | undefined {
  if (head.kind === 'classification' || head.kind === 'multi_vector') return undefined
  if (head.kind === 'sparse') return 'splade'
  return head.steps.flatMap((step) => (step.kind === 'pooling' ? step.modes : [])).join('+')
}

const IMAGES: readonly Capability[] = ['image_embed']
const SOUNDS: readonly Capability[] = ['audio_embed']
const SPARSE: readonly Capability[] = ['embed_sparse']
/** Of models that compare texts token by token. */
const COMPARED: readonly Capability[] = ['multi_vector', 'rerank']

function capabilitiesOf(spec: ModelSpec, joinsPairs: boolean): Capability[] {
  const { tokenizer, image, audio } = spec
  return [
    ...(tokenizer ? textCapabilities(spec, joinsPairs) : []),
    ...(image ? IMAGES : []),
    ...(audio ? SOUNDS : []),
  ]
}

function textCapabilities({ head }: ModelSpec, joinsPairs: boolean): Capability[] {
  if (head.kind === 'embedding') {
    const { lexical, multiVector } = head
    return ['embed', ...(lexical ? SPARSE : []), ...(multiVector ? COMPARED : [])]
  }
  if (head.kind === 'multi_vector') return [...COMPARED]
  if (head.kind === 'sparse') return ['embed_sparse']
  return head.labels.length === 1 && joinsPairs ? ['rerank', 'classify'] : ['classify']
}
