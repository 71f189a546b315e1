/** How long to wait before the platform is asked again. */
const BASE_MS = 500
const MAX_MS = 10_000
/** Jitter alone could mean no wait at all. */
const MIN_MS = 50
const MAX_RETRY_AFTER_MS = 60_000

/** Exponential with full jitter, at most ten seconds. `failures` counts from 1. */
export function backoffMs(failures: number): number {
  return MIN_MS + Math.random() * (Math.min(MAX_MS, BASE_MS * 2 ** (failures - 1)) - MIN_MS)
}

/** What a `Retry-After` header asks for, at most a minute; undefined where it says nothing that can be read. */
export function readRetryAfter(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined || header.trim() === '') return undefined
  const ms = /^\s*\d+\s*$/.test(header) ? Number(header) * 1000 : Date.parse(header) - nowMs
  return Number.isNaN(ms) ? undefined : Math.min(MAX_RETRY_AFTER_MS, Math.max(0, ms))
}
