/** One job from a file or a flag, its result on standard output. */
import { plainJson } from '../../base/plain-json.ts'
import { ServerError, messageOf } from '../../errors.ts'
import type { JobResult } from '../runpod/job.ts'
import { formatResult } from './format-result.ts'

export interface RunOnceOptions {
  /** The job as JSON text. */
  readonly text: string
  /** Where it came from, for errors. */
  readonly source: string
  /** Readable for a person, else one line of JSON. */
  readonly readable: boolean
  readonly run: (job: unknown) => Promise<JobResult>
  readonly print: (text: string) => void
}

/** The exit code: 0, or 1 with the error printed. */
export async function runOnce({ text, source, readable, run, print }: RunOnceOptions): Promise<number> {
  const start = performance.now()
  const answer = await run(parseJob(text, source))
  const totalMs = performance.now() - start
  const result: JobResult = 'error' in answer ? answer : { output: await plainJson(answer.output) }
  print(readable ? formatResult(result, totalMs) : JSON.stringify(result))
  return 'error' in result ? 1 : 0
}

/** Throws `invalid_request` where the text is not a JSON object. */
function parseJob(text: string, source: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new ServerError('invalid_request', `${source} is not JSON: ${messageOf(error)}`, { cause: error })
  }
}
