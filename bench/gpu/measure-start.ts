/** How long from the start of the program to its first vector? */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { StartJob } from './jobs.ts'
import type { Finding } from './rows.ts'

const HANDLER = fileURLToPath(new URL('../../handler.ts', import.meta.url))
const TEST_INPUT = JSON.stringify({ input: { input: 'Hello world' } })

/** The first run may convert weights and fill caches; the later ones find them. */
export async function measureStart(job: StartJob, emit: (finding: Finding) => void): Promise<void> {
  const times: number[] = []
  for (let run = 0; run < job.runs; run++) times.push(await startOnce(job))
  const [firstMs = NaN, ...laterMs] = times
  emit({
    kind: 'start',
    model: job.shape,
    dtypeRequested: job.settings['DTYPES'] ?? 'auto',
    firstMs,
    laterMs,
  })
}

/** Milliseconds until the vector is printed. */
function startOnce({ folder, settings }: StartJob): Promise<number> {
  const env = { ...process.env, ...settings, MODEL_NAMES: `model=${folder}`, LOG_LEVEL: 'error' }
  return new Promise((resolve, reject) => {
    const start = performance.now()
    let ms = 0
    let output = ''
    let complaints = ''
    const child = spawn(process.execPath, [HANDLER, '--test_input', TEST_INPUT], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env,
    })
    child.stdout.on('data', (data: Buffer) => {
      ms ||= performance.now() - start
      output += data.toString()
    })
    child.stderr.on('data', (data: Buffer) => (complaints += data.toString()))
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0 && output.includes('"embedding"')) resolve(ms)
      else reject(new Error(`handler.ts exited with ${code}: ${(output + complaints).slice(-1000)}`))
    })
  })
}
