import type { Logger } from 'pino'
import { destination, pino } from 'pino'

/** What is logged, field by field; never a client's text. Units stand in the names. */
export type LogEvent =
  | {
      event: 'model_loaded'
      model: string
      dtype: string
      provider: string
      device: string
      loadMs: number
      maxBatchTokens: number
      unusedTensors: number
      /** Whether it came from what an earlier start kept, where that was looked for. */
      prepacked?: boolean
    }
  /** Kept for the next start, as it lies in memory. */
  | { event: 'prepacked'; model: string; bytes: number; ms: number }
  | { event: 'prepacked_skipped'; model: string; reason: string }
  | { event: 'prepacked_ignored'; model: string; reason: string }
  | { event: 'devices_chosen'; devices: readonly string[] }
  /** The longest row that the model takes, alone, was too much for the device. */
  | { event: 'longest_row_unfit'; model: string; device: string; maxTokens: number }
  | { event: 'batch_budget_changed'; model: string; maxBatchTokens: number }
  | { event: 'device_lost'; model: string; device: string; error: string }
  /** Of a folder without weights: the ONNX file that stands for them. */
  | { event: 'exported_chosen'; model: string; file: string; dtype: string }
  | { event: 'dtype_replaced'; model: string; requested: string; used: string; reason: string }
  | {
      event: 'int8_fidelity'
      model: string
      mode: string
      meanCosine: number
      leastCosine: number
      texts: number
    }
  /** Codes and cosines could not be kept: the next start calibrates anew. */
  | { event: 'int8_unkept'; model: string; reason: string }
  | { event: 'backend_ignored'; requested: string }
  | { event: 'starting'; mode: string; version: string }
  | { event: 'listening'; address: string }
  | { event: 'port_taken'; address: string; reason: string }
  | { event: 'ready'; models: readonly string[] }
  | { event: 'start_failed'; error: string }
  | { event: 'stopped'; reason: string }
  | { event: 'thread_died'; model: string; device: string; error: string }
  | { event: 'thread_revived'; model: string; device: string; loadMs: number }
  | { event: 'job_taken'; jobId: string }
  | {
      event: 'job_done'
      jobId: string
      ms: number
      bytes: number
      outcome: 'completed' | 'failed' | 'unwanted'
    }
  | { event: 'job_stopped'; jobId: string }
  | { event: 'job_duplicate'; jobId: string; state: 'under way' | 'answered' }
  | { event: 'job_malformed'; reason: string }
  | {
      event: 'take_failed' | 'stop_failed'
      status: number | undefined
      error: string
      retryMs: number
      count: number
    }
  | { event: 'result_retry'; jobId: string; error: string; retryMs: number; count: number }
  | { event: 'result_rejected'; jobId: string; status: number; bytes: number }
  | { event: 'result_unwanted'; jobId: string; status: number }
  | { event: 'result_lost'; jobId: string; error: string }
  | { event: 'thawed'; gapMs: number }
  | { event: 'ping_failed'; count: number; error: string }
  | { event: 'heartbeat_died'; error: string }
  | { event: 'drain_started'; jobs: number; graceMs: number }
  | { event: 'drain_done'; left: readonly string[] }
  | { event: 'model_cached'; model: string; commit: string; folder: string }
  | {
      event: 'model_fetching'
      model: string
      commit: string
      files: number
      totalBytes: number
      folder: string
    }
  | {
      event: 'model_fetch_progress'
      model: string
      doneBytes: number
      totalBytes: number
      percent: number
    }
  | { event: 'model_fetched'; model: string; bytes: number; ms: number }
  | { event: 'fetch_retry'; model: string; reason: string; waitMs: number }
  | { event: 'fetch_waiting'; model: string; file: string }
  | {
      event: 'fetch_near_init_timeout'
      model: string
      /** Since the process started. */
      finishMs: number
      initTimeoutMs: number
      advice: string
    }
  | { event: 'hub_failed'; model: string; reason: string; usedCommit: string }
  | { event: 'webhook_failed'; jobId: string; error: string }
  | { event: 'webhook_dropped'; jobId: string; pendingBytes: number }

export type Log = (level: 'debug' | 'info' | 'warn' | 'error', event: LogEvent) => void

/**
 * JSON lines on standard error: standard output belongs to results. `requestId`, `message` and `level` are the names by
 * which RunPod's console groups and filters.
 */
export function openLog(level: string): Log {
  const formatters = { level: (label: string) => ({ level: label.toUpperCase() }) }
  const options = { level, base: null, messageKey: 'message', formatters }
  const logger: Logger = pino(options, destination({ dest: 2, sync: true }))
  return (level, { event, ...fields }) => {
    const { jobId, ...rest } = fields as Record<string, unknown>
    logger[level]({ ...(jobId === undefined ? {} : { requestId: jobId }), ...rest }, event)
  }
}
