/** What the platform's polls answer. Throws `BrokenAnswer` where it cannot be understood. */
import { BrokenAnswer } from './broken-answer.ts'
import type { Reply } from './platform-http.ts'

/** Jobs of job-take, unchecked: one object, or a list of them. */
export function readJobs(reply: Reply): readonly unknown[] {
  const value = readJson(reply)
  if (value === undefined || value === null) return []
  return Array.isArray(value) ? value : [value]
}

/** Ids of job-stop. */
export function readStops(reply: Reply): readonly string[] {
  // Parsed JSON that is no object has no such field either.
  const value = readJson(reply) as { readonly jobsToStop?: unknown } | null | undefined
  const ids = value?.jobsToStop
  return Array.isArray(ids) ? ids.filter((id) => typeof id === 'string') : []
}

/** Undefined where the answer is empty. */
function readJson({ status, contentType, text }: Reply): unknown {
  if (status !== 200 || text === '') return undefined
  if (!/^application\/json\b/i.test(contentType)) {
    throw new BrokenAnswer(`the answer is of type "${contentType.slice(0, 60)}" and not JSON`)
  }
  try {
    return JSON.parse(text)
  } catch {
    // The parser's own words would quote a client's text.
    throw new BrokenAnswer(`the answer, ${text.length} characters long, is broken JSON`)
  }
}
