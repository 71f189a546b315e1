import type { Log, LogEvent } from '../../src/base/log.ts'

export type Logged = LogEvent & { readonly level: string }

/** A log that keeps its lines. */
export function recordLog(): { log: Log; lines: Logged[]; named: (event: LogEvent['event']) => Logged[] } {
  const lines: Logged[] = []
  const log: Log = (level, event) => void lines.push({ level, ...event })
  return { log, lines, named: (name) => lines.filter(({ event }) => event === name) }
}
