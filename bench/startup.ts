/** How long from process start to the first vector, and how much memory does it take? */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { median, printFigure } from './harness.ts'

const RUNS = 7
const HANDLER = fileURLToPath(new URL('../handler.ts', import.meta.url))
const MEMORY_PROBE = fileURLToPath(new URL('./memory-probe.ts', import.meta.url))
const JOB = JSON.stringify({ input: { input: 'Hello world' } })

export async function benchStartup(): Promise<void> {
  const firstMs = await startRepeatedly({})
  const cache = mkdtempSync(join(tmpdir(), 'compile-cache-'))
  const cachedMs = await startRepeatedly({ NODE_COMPILE_CACHE: cache })
  rmSync(cache, { recursive: true })
  const { output } = await runProgram(MEMORY_PROBE, [], {})
  const { loadedMb, peakMb, loadMs } = JSON.parse(output) as {
    loadedMb: number
    peakMb: number
    loadMs: number
  }
  console.log('start of the bundled model')
  printFigure(
    'process start → first vector printed, median',
    `${Math.round(median(firstMs))} ms`,
    '≤ 500 ms, goal 300',
  )
  printFigure('the same, with NODE_COMPILE_CACHE set and warm', `${Math.round(median(cachedMs))} ms`)
  printFigure('first job of a process that imports handler', `${Math.round(loadMs)} ms`)
  printFigure('memory once loaded', `${Math.round(loadedMb)} MB`)
  printFigure('peak memory over a job of 500 mixed texts', `${Math.round(peakMb)} MB`, '≤ 400 MB')
}

/** The first run is not counted: it fills caches. */
async function startRepeatedly(env: Record<string, string>): Promise<number[]> {
  const times: number[] = []
  for (let run = 0; run < RUNS + 1; run++)
    times.push((await runProgram(HANDLER, ['--test_input', JOB], env)).ms)
  return times.slice(1)
}

/** Milliseconds until the program's first output, and all of it. */
function runProgram(
  file: string,
  args: readonly string[],
  env: Record<string, string>,
): Promise<{ ms: number; output: string }> {
  return new Promise((resolve, reject) => {
    const start = performance.now()
    let ms = 0
    let output = ''
    const child = spawn(process.execPath, [file, ...args], {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, ...env },
    })
    child.stdout.on('data', (data: Buffer) => {
      ms ||= performance.now() - start
      output += data.toString()
    })
    child.on('error', reject)
    child.on('exit', (code) =>
      code === 0 ? resolve({ ms, output }) : reject(new Error(`${file} exited with ${code}`)),
    )
  })
}
