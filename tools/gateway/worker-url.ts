/** What stands in the address of a worker's request. */
export interface WorkerUrl {
  readonly workerId: string
  /** Of job-done and job-stream. */
  readonly jobId: string | undefined
  readonly query: URLSearchParams
}

/**
 * Reads `/…/job-done/<worker>/<job>?k=v` and its like; `operation` is the segment before the ids. Workers that expect a `?`
 * in their templates glue parameters to the last id where there is none: `/job-take/<worker>&k=v` is understood as well.
 */
export function readWorkerUrl(url: string, operation: string): WorkerUrl {
  const mark = `/${operation}/`
  const rest = url.slice(url.indexOf(mark) + mark.length)
  const [path = '', ...queries] = rest.split('?')
  const glued = path.indexOf('&')
  const ids = (glued < 0 ? path : path.slice(0, glued)).split('/').map(decode)
  const query = new URLSearchParams(queries.join('?'))
  if (glued >= 0) for (const [key, value] of new URLSearchParams(path.slice(glued))) query.append(key, value)
  return { workerId: ids[0] ?? '', jobId: ids[1], query }
}

/** Ids are opaque: one that is no valid encoding stands for itself. */
function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}
