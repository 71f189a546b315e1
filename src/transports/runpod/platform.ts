/** RunPod's queue over HTTP: the source of a worker's jobs on the platform. */
import { randomUUID } from 'node:crypto'
import { pause as realPause, untilAborted } from '../../base/abort.ts'
import type { Pause } from '../../base/abort.ts'
import type { Log } from '../../base/log.ts'
import { ServerError } from '../../errors.ts'
import { BatchSize } from './batch-size.ts'
import { BrokenAnswer } from './broken-answer.ts'
import type { EncodedResult, JobSource, Receipt, TakeOptions } from './job-source.ts'
import { Outage } from './outage.ts'
import { PlatformHttp } from './platform-http.ts'
import type { Reply } from './platform-http.ts'
import type { UrlValues } from './platform-url.ts'
import { doneUrl, stopUrl, takeUrl } from './platform-url.ts'
import { Poll } from './poll.ts'
import { postHeaders, postResult } from './post-result.ts'
import { readJobs, readStops } from './read-answer.ts'
import { RetryLater } from './retry-later.ts'
import { watchThaw } from './watch-thaw.ts'

export interface PlatformOptions {
  /** Templates: see `platform-url.ts`. */
  readonly takeUrl?: string | undefined
  readonly doneUrl?: string | undefined
  /** Sent as it is, without `Bearer`. */
  readonly apiKey?: string | undefined
  readonly workerId?: string | undefined
  readonly endpointId?: string | undefined
  readonly gpuTypeId?: string | undefined
  /** Of this program. */
  readonly version: string
  readonly log: Log
  /** Wall clock, in milliseconds. */
  readonly now?: () => number
  readonly pause?: Pause
}

const QUICK_MS = 1000
const EMPTY_TAKE_MS = 75
const EMPTY_STOP_MS = 1000
const PARKED_MS = 500

const REFUSED_TAKE_MS = 15_000
const NO_STOPS_MS: readonly number[] = [1000, 1000, 15_000, 60_000]
const LONGEST_NO_STOPS_MS = 300_000

const PROGRESS_LIMIT_MS = 5000

/** Throws `load_failed` where an address is missing or is none. */
export function openPlatform(options: PlatformOptions): Platform {
  const { endpointId, gpuTypeId, workerId = randomUUID() } = options
  const urls = {
    take: expectUrl(options.takeUrl, 'RUNPOD_WEBHOOK_GET_JOB'),
    done: expectUrl(options.doneUrl, 'RUNPOD_WEBHOOK_POST_OUTPUT'),
    values: { workerId, endpointId, gpuTypeId },
  }
  const platform = new Platform(options, urls)
  platform.watch()
  return platform
}

interface Urls {
  readonly take: string
  readonly done: string
  readonly values: UrlValues
}

export class Platform implements JobSource {
  readonly #log: Log
  readonly #now: () => number
  readonly #pause: Pause
  readonly #urls: Urls
  readonly #http: PlatformHttp
  readonly #takePoll: Poll
  readonly #stopPoll: Poll
  readonly #postOutage: Outage
  readonly #batchSize = new BatchSize()
  #unwatch = () => {}

  constructor({ log, now = Date.now, pause = realPause, apiKey, version }: PlatformOptions, urls: Urls) {
    this.#log = log
    this.#now = now
    this.#pause = pause
    this.#urls = urls
    const http = new PlatformHttp({
      'user-agent': `runpod-worker-embeddings/${version}`,
      ...(apiKey === undefined ? {} : { authorization: apiKey }),
    })
    this.#http = http
    this.#takePoll = new Poll({
      http,
      name: 'job-take',
      refusals: [401, 403, 404, 405, 410],
      refusedMs: () => REFUSED_TAKE_MS,
      now,
    })
    this.#stopPoll = new Poll({
      http,
      name: 'job-stop',
      // Not every platform has this address.
      refusals: [404, 405],
      refusedMs: (count) => NO_STOPS_MS[count - 1] ?? LONGEST_NO_STOPS_MS,
      now,
    })
    this.#postOutage = new Outage(now)
  }

  /** Watches for a freeze until closed. */
  watch(): void {
    const onThaw = (gapMs: number) => {
      this.#log('warn', { event: 'thawed', gapMs })
      this.#http.renew()
    }
    this.#unwatch = watchThaw({ now: this.#now, onThaw })
  }

  readonly take = async (freeCount: number, options: TakeOptions): Promise<readonly unknown[]> => {
    const { jobsInProgress, signal } = options
    const count = Math.min(freeCount, this.#batchSize.maxJobs)
    const url = takeUrl(this.#urls.take, this.#urls.values, { count, jobsInProgress })
    try {
      const jobs = await this.#ask(this.#takePoll, { url, signal, read: readJobs, emptyMs: EMPTY_TAKE_MS })
      this.#batchSize.came(jobs.length)
      return jobs
    } catch (error) {
      // The same batch asked for again would break again.
      if (error instanceof RetryLater && error.cause instanceof BrokenAnswer) this.#batchSize.broke(count)
      throw error
    }
  }

  readonly stopped = async (signal: AbortSignal): Promise<readonly string[]> => {
    const url = stopUrl(this.#urls.take, this.#urls.values)
    if (url === undefined) {
      // Nothing ever comes: the wait itself is all there is.
      await untilAborted(signal)
      throw signal.reason
    }
    return this.#ask(this.#stopPoll, { url, signal, read: readStops, emptyMs: EMPTY_STOP_MS })
  }

  readonly finish = (jobId: string, result: EncodedResult, signal: AbortSignal): Promise<Receipt> => {
    const url = doneUrl(this.#urls.done, this.#urls.values, jobId)
    const context = {
      http: this.#http,
      log: this.#log,
      outage: this.#postOutage,
      now: this.#now,
      pause: this.#pause,
    }
    return postResult({ jobId, url, result, signal }, context)
  }

  readonly progress = async (jobId: string, output: object): Promise<void> => {
    const url = doneUrl(this.#urls.done, this.#urls.values, jobId)
    const body = [Buffer.from(JSON.stringify({ status: 'IN_PROGRESS', output }))]
    const headers = postHeaders(jobId)
    const { signal } = new AbortController()
    await this.#http
      .send({ method: 'POST', url, headers, body, signal, limitMs: PROGRESS_LIMIT_MS })
      .catch(() => undefined)
  }

  /** Calls under way fail. */
  close(): Promise<void> {
    this.#unwatch()
    return this.#http.close()
  }

  async #ask<T>(poll: Poll, { url, signal, read, emptyMs }: PollAsk<T>): Promise<readonly T[]> {
    const startMs = this.#now()
    // FlashBoot: the platform is about to freeze this worker, or has just woken it.
    const readReply = (reply: Reply) => (reply.status === 400 ? 'parked' : read(reply))
    const items = (await poll.ask(url, signal, readReply)) ?? []
    if (items === 'parked') {
      await this.#pause(PARKED_MS * (1 + Math.random()), signal)
      return []
    }
    // Empty answers that come at once must not make a loop spin.
    if (items.length === 0 && this.#now() - startMs < QUICK_MS) await this.#pause(emptyMs, signal)
    return items
  }
}

interface PollAsk<T> {
  readonly url: string
  readonly signal: AbortSignal
  readonly read: (reply: Reply) => readonly T[]
  /** Pause after an empty answer. */
  readonly emptyMs: number
}

function expectUrl(template: string | undefined, variable: string): string {
  if (template === undefined) throw new ServerError('load_failed', `${variable} is not set`)
  if (/^https?:/.test(template) && URL.canParse(template)) return template
  throw new ServerError('load_failed', `${variable} is "${template}", which is no http address`)
}
