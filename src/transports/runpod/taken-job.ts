/** As it was taken. */
export type Job = Readonly<Record<string, unknown>>

/** The job and its id, or what is wrong with it: without an id nobody can be told. */
export function readTakenJob(item: unknown): { id: string; job: Job } | string {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) return 'it is not an object'
  const job: Job = { ...item }
  const id = typeof job['id'] === 'number' ? String(job['id']) : job['id']
  if (typeof id !== 'string' || id === '') return 'it has no id'
  // Every reader of addresses takes these two for steps of a path, however they are written.
  return id === '.' || id === '..' ? `its id is ${id}, which no address can hold` : { id, job }
}
