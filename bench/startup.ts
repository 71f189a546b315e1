/** How long from process start to the first vector, and how much memory does it take? */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { median, printFigure } from './harness.ts'

const RUNS = 7
const HANDLER = fileURLToPath(new URL('../handler.ts', import.meta.url))
const MEMORY_PROBE = fileURLToPath(new URL('./memory-probe.ts', import.meta.url))
const JOB = JSON.stringify({ input: { input: 'Hello world' } })

export async function benchStartup(): Promise<void> {
  const firstMs: number[] = []
  for (let run = 0; run < RUNS + 1; run++) {
    const { ms } = await runProgram(HANDLER, ['--test_input', JOB])
    if (run > 0) firstMs.push(ms)
  }
  const { output } = await runProgram(MEMORY_PROBE, [])
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
  printFigure('load of the model alone', `${Math.round(loadMs)} ms`)
  printFigure('memory once loaded', `${Math.round(loadedMb)} MB`)
  printFigure('peak memory over a job of 500 mixed texts', `${Math.round(peakMb)} MB`, '≤ 400 MB')
}

/** Milliseconds until the program's first output, and all of it. */
function runProgram(file: string, args: readonly string[]): Promise<{ ms: number; output: string }> {
  return new Promise((resolve, reject) => {
    const start = performance.now()
    let ms = 0
    let output = ''
    const child = spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'pipe', 'ignore'] })
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
