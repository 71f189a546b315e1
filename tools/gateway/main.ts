/** `npm run gateway`: RunPod's gateway on this machine, for workers and clients in any language. */
import { writeFile } from 'node:fs/promises'
import { messageOf } from '../../src/errors.ts'
import { describeProblems, describeReport, isClean } from './describe-report.ts'
import type { Flags } from './flags.ts'
import { flagsHelp, readFlags } from './flags.ts'
import type { Gateway } from './gateway.ts'
import { startGateway } from './gateway.ts'
import { exportLines } from './worker-env.ts'

const EXIT_LOST = 1
const EXIT_BAD_FLAGS = 2

async function main(argv: readonly string[]): Promise<number> {
  let flags: Flags
  let gateway: Gateway
  try {
    flags = readFlags(argv)
    if (flags.help) {
      print(flagsHelp())
      return 0
    }
    gateway = await open(flags)
  } catch (error) {
    process.stderr.write(`${messageOf(error)}; see --help\n`)
    return EXIT_BAD_FLAGS
  }
  print(welcome(gateway, flags))
  const stopKilling = killNowAndThen(gateway, flags)
  await untilAsked()
  stopKilling()
  await gateway.close()
  return conclude(gateway, flags)
}

function open(flags: Flags): Promise<Gateway> {
  const { worker, workerCount } = flags
  const onLine = (workerId: string, line: string) => print(`[${workerId}] ${line}`)
  const workers =
    worker === undefined ? undefined : { command: worker, count: workerCount, env: process.env, onLine }
  return startGateway({ ...flags, workers, print })
}

function welcome({ url, workers, workerEnv }: Gateway, { endpointId, apiKey, worker }: Flags): string {
  const base = `${url}/v2/${endpointId}`
  const key = apiKey === undefined ? '' : ` -H 'authorization: Bearer ${apiKey}'`
  const job = `'{"input":{"input":["Hello world"]}}'`
  const start =
    workers === undefined
      ? `Point a worker at it, each with a RUNPOD_POD_ID of its own:\n\n${exportLines(workerEnv('worker-by-hand'))}`
      : `${workers.workerIds.length} of its own workers: ${worker}`
  return [
    `RunPod's gateway, emulated: ${base}`,
    '',
    start,
    '',
    'Ask it:',
    '',
    `curl ${base}/runsync${key} -H 'content-type: application/json' -d ${job}`,
    `curl ${base}/health${key}`,
    '',
    'OpenAI clients: base URL',
    `${base}/openai/v1`,
    '',
    'Ctrl-C ends it and tells what became of the jobs.',
  ].join('\n')
}

/** The result ends it. */
function killNowAndThen({ workers }: Gateway, { killEveryMs, freezeMs }: Flags): () => void {
  if (workers === undefined || killEveryMs === undefined) return () => {}
  let turn = 0
  const timer = setInterval(() => {
    if (freezeMs !== undefined && turn++ % 2 === 1) workers.freeze(freezeMs)
    else workers.kill()
  }, killEveryMs)
  return () => clearInterval(timer)
}

async function untilAsked(): Promise<void> {
  await new Promise<void>((resolve) => {
    process.once('SIGINT', () => resolve())
    process.once('SIGTERM', () => resolve())
  })
}

async function conclude({ ledger }: Gateway, { ledgerFile }: Flags): Promise<number> {
  const report = ledger.report()
  print(describeReport(report))
  for (const problem of describeProblems(report)) print(problem)
  if (ledgerFile !== undefined) {
    await writeFile(ledgerFile, `${JSON.stringify({ ...report, jobs: ledger.jobs() }, null, 2)}\n`)
  }
  return isClean(report) ? 0 : EXIT_LOST
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

process.exitCode = await main(process.argv.slice(2))
