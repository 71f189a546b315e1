import { ServerError } from '../errors.ts'

const NO_SPACE = ['ENOSPC', 'EDQUOT']
const NO_RIGHT = ['EACCES', 'EPERM', 'EROFS']

/** A failure of the disk as a sentence with its cure; anything else as it is. */
export function asFetchFailure(error: unknown, model: string, folder: string): unknown {
  if (error instanceof ServerError || !(error instanceof Error)) return error
  // errors of the network carry theirs in their cause
  const { code, syscall } = error as NodeJS.ErrnoException
  if (code === undefined || syscall === undefined) return error
  const fail = (what: string) => new ServerError('load_failed', `${model}: ${what}`, { cause: error })
  if (NO_SPACE.includes(code)) {
    return fail(
      `no space left under ${folder} (${code}); what has arrived is kept: free some, or set HF_HOME to a larger disk`,
    )
  }
  if (NO_RIGHT.includes(code)) {
    return fail(`${folder} cannot be written to (${code}); set HF_HOME to a folder that can`)
  }
  return fail(`the cache ${folder} fails: ${error.message}`)
}
