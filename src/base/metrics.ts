import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'

export interface AnswerFacts {
  /** As its endpoint spells it: never what a client sent, which may be anything. */
  readonly route: string | undefined
  readonly model?: string | undefined
  readonly status: number
}

export interface BatchFacts {
  readonly rows: number
  readonly tokens: number
  /** Tokens that such a batch may have. */
  readonly maxTokens: number
  readonly runMs: number
}

/** What is read when somebody asks, for each model. */
export interface ModelGauges {
  readonly id: string
  /** Tokens that a batch may have, now. */
  readonly maxBatchTokens: number
  readonly stats: {
    readonly queuedItems: number
    readonly heldRequests: number
    readonly waitingTokens: number
    readonly runningBatches: number
  }
}

export interface GateGauges {
  readonly running: number
  readonly waiting: number
}

export interface CacheGauges {
  readonly entries: number
  readonly bytes: number
}

export interface MetricsSources {
  readonly models: () => readonly ModelGauges[]
  readonly gate: () => GateGauges
  /** Undefined: nothing is kept, or not yet. */
  readonly cache?: () => CacheGauges | undefined
  readonly now?: () => number
}

const LATENCY_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120]
const FILLS = [0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 0.9375, 1]
const ROWS = [1, 2, 4, 8, 16, 32, 64, 128, 256]

/** Prometheus metrics of one process. */
export class Metrics {
  readonly #registry = new Registry()
  readonly #latency: Histogram
  readonly #jobs: Counter
  readonly #jobSeconds: Histogram
  readonly #runningJobs: Gauge
  readonly #fill: Histogram
  readonly #rows: Histogram
  readonly #tokens: Counter
  readonly #busySeconds: Counter
  readonly #reused: Counter
  readonly #now: () => number
  /** Busy milliseconds of each model since the gauge was last read, and when that was. */
  readonly #busy = new Map<string, { busyMs: number; sinceMs: number }>()

  constructor({ models, gate, cache, now = () => performance.now() }: MetricsSources) {
    const registers = [this.#registry]
    const own = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) => ({
      name: `embeddings_${name}`,
      help,
      labelNames,
      registers,
    })
    this.#now = now
    collectDefaultMetrics({ register: this.#registry })
    this.#latency = new Histogram({
      ...own('request_seconds', 'From request to answer, by route and model', ['route', 'model', 'status']),
      buckets: LATENCY_SECONDS,
    })
    this.#jobs = new Counter(own('jobs_total', 'Jobs by outcome', ['outcome']))
    this.#jobSeconds = new Histogram({
      ...own('job_seconds', 'From taking a job to having its result delivered'),
      buckets: LATENCY_SECONDS,
    })
    this.#fill = new Histogram({
      ...own('batch_fill_ratio', 'Tokens of a batch, of those that it may have', ['model']),
      buckets: FILLS,
    })
    this.#rows = new Histogram({ ...own('batch_rows', 'Rows of a batch', ['model']), buckets: ROWS })
    this.#tokens = new Counter(own('tokens_total', 'Tokens computed', ['model']))
    this.#busySeconds = new Counter(own('device_busy_seconds_total', 'Seconds of computing', ['model']))
    this.#reused = new Counter(
      own('items_reused_total', 'Items answered without computing them', ['model', 'source']),
    )
    const perModel = (name: string, help: string, read: (model: ModelGauges) => number) => {
      const readAll = (gauge: Gauge) => {
        for (const model of models()) gauge.set({ model: model.id }, read(model))
      }
      this.#gauge(name, help, readAll, ['model'])
    }
    perModel('queue_items', 'Items that wait for a batch', ({ stats }) => stats.queuedItems)
    perModel('queue_tokens', 'Tokens that wait for a batch', ({ stats }) => stats.waitingTokens)
    perModel('held_requests', 'Jobs that wait for room in the queue', ({ stats }) => stats.heldRequests)
    perModel('running_batches', 'Batches under way', ({ stats }) => stats.runningBatches)
    perModel('batch_budget_tokens', 'Tokens that a batch may have now', (model) => model.maxBatchTokens)
    perModel('device_busy_ratio', 'Share of the time since the last reading', ({ id }) => this.#readBusy(id))
    const perCache = (name: string, help: string, read: (cache: CacheGauges) => number) =>
      this.#gauge(name, help, (gauge) => gauge.set(read(cache?.() ?? { entries: 0, bytes: 0 })))
    perCache('cache_entries', 'Results in the cache', ({ entries }) => entries)
    perCache('cache_bytes', 'Bytes that they take', ({ bytes }) => bytes)
    this.#runningJobs = new Gauge(own('jobs_in_flight', 'Jobs being run, or having their result delivered'))
    this.#gauge('requests_in_flight', 'Direct requests being answered', (gauge) => gauge.set(gate().running))
    this.#gauge('requests_waiting', 'Direct requests in line', (gauge) => gauge.set(gate().waiting))
  }

  readonly answered = ({ route = 'none', model = 'none', status }: AnswerFacts, ms: number): void => {
    this.#latency.observe({ route, model, status }, ms / 1000)
  }

  readonly jobStarted = (): void => this.#runningJobs.inc()

  readonly jobEnded = ({ outcome, ms }: { outcome: string; ms: number }): void => {
    this.#runningJobs.dec()
    this.#jobs.inc({ outcome })
    this.#jobSeconds.observe(ms / 1000)
  }

  readonly batchRan = (model: string, { rows, tokens, maxTokens, runMs }: BatchFacts): void => {
    this.#fill.observe({ model }, tokens / maxTokens)
    this.#rows.observe({ model }, rows)
    this.#tokens.inc({ model }, tokens)
    this.#busySeconds.inc({ model }, runMs / 1000)
    const busy = this.#busy.get(model)
    if (busy !== undefined) busy.busyMs += runMs
  }

  /** `source`: an identical item that ran, or a result of the past. */
  readonly itemsReused = (model: string, itemCount: number, source: 'duplicate' | 'cache'): void =>
    this.#reused.inc({ model, source }, itemCount)

  get contentType(): string {
    return this.#registry.contentType
  }

  text(): Promise<string> {
    return this.#registry.metrics()
  }

  /** Read when somebody asks. */
  #gauge(name: string, help: string, read: (gauge: Gauge) => void, labelNames: readonly string[] = []): void {
    const gauge: Gauge = new Gauge({
      name: `embeddings_${name}`,
      help,
      labelNames,
      registers: [],
      collect: () => read(gauge),
    })
    this.#registry.registerMetric(gauge)
  }

  #readBusy(model: string): number {
    const nowMs = this.#now()
    const last = this.#busy.get(model)
    this.#busy.set(model, { busyMs: 0, sinceMs: nowMs })
    if (last === undefined || nowMs <= last.sinceMs) return 0
    return Math.min(1, last.busyMs / (nowMs - last.sinceMs))
  }
}
