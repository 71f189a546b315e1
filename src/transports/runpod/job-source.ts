/** Where a worker's jobs come from and where their results go: RunPod's platform, or the job store of this process. */
export interface JobSource {
  /**
   * Waits until there are jobs, then resolves with 1 to `count` of them, as they came; with none where the wait ended
   * without. Aborted: rejects, unless jobs were handed out already. Throws only what its caller must wait and retry for:
   * `RetryLater`, where the source can tell how long.
   */
  readonly take: (count: number, options: TakeOptions) => Promise<readonly unknown[]>
  /** Waits until jobs shall stop, then resolves with their ids; with none where the wait ended without. */
  readonly stopped: (signal: AbortSignal) => Promise<readonly string[]>
  /**
   * Resolves once the result has arrived, or is known to be unwanted: then the job counts as not answered, and may come
   * again. Rejects where it is lost; with `ResultReplaced` where the job has failed for it.
   */
  readonly finish: (id: string, result: EncodedResult, signal: AbortSignal) => Promise<Receipt>
  /** Tells how far a job is. Best effort: never rejects. */
  readonly progress: (id: string, output: object) => Promise<void>
  /** Whatever waits ends. */
  readonly close: () => Promise<void>
}

export type Receipt = 'delivered' | 'unwanted'

/** What `finish` throws where the output was rejected and an error has taken its place: the job has failed. */
export class ResultReplaced extends Error {
  override readonly name = 'ResultReplaced'
}

export interface TakeOptions {
  readonly jobsInProgress: boolean
  readonly signal: AbortSignal
}

/** A job's result, its output encoded already: it is large at times, and its size decides how it travels. */
export interface EncodedResult {
  readonly outcome: EncodedOutcome
  /** Asks the platform to replace this worker after the job. */
  readonly stopPod: boolean
}

export type EncodedOutcome =
  | { readonly output: EncodedOutput }
  /** Makes the job FAILED; a string, always. */
  | { readonly error: string }

export interface EncodedOutput {
  /** JSON text in UTF-8. */
  readonly json: Uint8Array
  /** RunPod's gateway answers `/openai/*` requests with the one element of such a list. */
  readonly isListOfOne: boolean
}
