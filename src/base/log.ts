import type { Logger } from 'pino'
import { destination, pino } from 'pino'

/** What is logged, field by field; never a client's text. Units stand in the names. */
export type LogEvent =
  | {
      event: 'model_loaded'
      model: string
      dtype: string
      provider: string
      loadMs: number
      unusedTensors: number
    }
  | { event: 'dtype_replaced'; model: string; requested: string; used: string; reason: string }
  | { event: 'backend_ignored'; requested: string }
  | { event: 'gpu_unused' }
  | { event: 'thread_died'; model: string; error: string }
  | { event: 'thread_revived'; model: string; loadMs: number }

export type Log = (level: 'info' | 'warn' | 'error', event: LogEvent) => void

/** JSON lines on standard error: standard output belongs to results. */
export function openLog(level: string): Log {
  const logger: Logger = pino({ level, base: null }, destination({ dest: 2, sync: true }))
  return (level, event) => logger[level](event)
}
