/** The child process: one job, given as JSON; each finding a line of JSON on the pipe that the parent opened for it. */
import { writeSync } from 'node:fs'
import { messageOf } from '../../src/errors.ts'
import { makeRandomModel } from '../../tools/make-random-model.ts'
import type { Job } from './jobs.ts'
import { measureGolden } from './measure-golden.ts'
import { measureSpeed } from './measure-speed.ts'
import { measureStart } from './measure-start.ts'
import type { Finding } from './rows.ts'
import { FINDINGS_PIPE } from './run-task.ts'

/** At once, so that a crash loses none. */
function emit(finding: Finding): void {
  const line = Buffer.from(`${JSON.stringify(finding)}\n`)
  for (let from = 0; from < line.length;) from += writeSync(FINDINGS_PIPE, line, from)
}

async function run(job: Job): Promise<void> {
  if (job.kind === 'make') await makeRandomModel(job.folder, { ...job, seed: 1 })
  else if (job.kind === 'golden') await measureGolden(job, emit)
  else if (job.kind === 'speed') await measureSpeed(job, emit)
  else await measureStart(job, emit)
}

try {
  await run(JSON.parse(process.argv[2] ?? '') as Job)
} catch (error) {
  emit({ kind: 'problem', outcome: 'failed', reason: messageOf(error) })
  process.exitCode = 1
}
