/**
 * `node bench/load.ts [SHAPE] [DTYPE] [FOLDER]`: how long a graph takes to build and a model to load on the CPU, from its folder and
 * from what an earlier start kept (`CACHE_DIR`), and how much memory the loading takes at most. Makes a folder of random weights (`tools/make-random-model.ts`) and removes it, unless FOLDER
 * names one to keep. Linux only: memory is read from /proc. Marks are aims for a 2-core machine, never asserted.
 */
import { spawn } from 'node:child_process'
import { createReadStream, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { loadConfig } from '../src/config.ts'
import { buildGraph } from '../src/graph/build.ts'
import { encodeGraph } from '../src/graph/encode.ts'
import { openFolder } from '../src/model/open-folder.ts'
import { startService } from '../src/start.ts'
import { makeRandomModel } from '../tools/make-random-model.ts'
import type { WeightDtype } from '../tools/random-model/write-weights.ts'
import { WEIGHT_DTYPES } from '../tools/random-model/write-weights.ts'
import { median, printFigure, printMachine } from './harness.ts'

const BUILDS = 20
const LOADS = 5
const SAMPLE_MS = 5
const CHILD = '--child'

interface Loaded {
  readonly loadMs: number
  /** Bytes that the process alone holds, pages of files left out: at most, and once loaded. */
  readonly peakBytes: number
  readonly heldBytes: number
}

async function benchLoad(shape: string, dtype: WeightDtype, folder: string): Promise<void> {
  await makeRandomModel(folder, { shape, dtype, seed: 1 })
  const spec = await openFolder(folder)
  const refs = Object.values(spec.tensors)
  const weightBytes = refs.reduce((sum, { byteLength }) => sum + byteLength, 0)
  const buildMs: number[] = []
  for (let build = 0; build < BUILDS; build++) {
    const start = performance.now()
    encodeGraph(buildGraph(spec, 'cpu-f32').graph)
    buildMs.push(performance.now() - start)
  }
  for (const file of new Set(refs.map((ref) => ref.file))) await readThrough(file)
  const cache = mkdtempSync(join(tmpdir(), 'load-cache-'))
  const loads: Loaded[] = []
  const keptLoads: Loaded[] = []
  try {
    await loadOnce(folder, cache)
    for (let load = 0; load < LOADS; load++) {
      loads.push(await loadOnce(folder))
      keptLoads.push(await loadOnce(folder, cache))
    }
  } finally {
    rmSync(cache, { recursive: true })
  }
  // In the precision that they are computed in.
  const numbers = refs.reduce(
    (sum, { shape: sizes }) => sum + sizes.reduce((size, next) => size * next, 1),
    0,
  )
  const markBytes = 4 * numbers * 1.3 + 200e6
  console.log(`load of ${shape}, ${megabytes(weightBytes)} of weights stored in ${dtype}`)
  printFigure('graph built and encoded, the first time', `${buildMs[0]?.toFixed(1)} ms`, '≤ 50 ms')
  printFigure('… and when the code is warm, median', `${median(buildMs).toFixed(1)} ms`)
  printFigure('folder → ready on the CPU, warm disk, median', ms(loads.map(({ loadMs }) => loadMs)), '≤ 3 s')
  printFigure('… from its kept packing, median', ms(keptLoads.map(({ loadMs }) => loadMs)), '≤ 1 s')
  printFigure(
    'peak anonymous memory',
    megabytes(median(loads.map(({ peakBytes }) => peakBytes))),
    `≤ ${megabytes(markBytes)}`,
  )
  printFigure('anonymous memory once loaded', megabytes(median(loads.map(({ heldBytes }) => heldBytes))))
}

/** So that what is measured is not the disk. */
async function readThrough(file: string): Promise<void> {
  let bytes = 0
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 }))
    bytes += (chunk as Buffer).length
  if (bytes === 0) throw new Error(`${file} is empty`)
}

/** In a process of its own, watched from this one. With a `cache` what it loads is taken from there, or kept there. */
function loadOnce(folder: string, cache?: string): Promise<Loaded> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      [fileURLToPath(import.meta.url), CHILD, folder, ...(cache === undefined ? [] : [cache])],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    let peakBytes = 0
    let output = ''
    const timer = setInterval(() => {
      peakBytes = Math.max(peakBytes, anonymousBytes(child.pid))
    }, SAMPLE_MS)
    child.stdout.on('data', (data: Buffer) => (output += data.toString()))
    child.on('error', reject)
    child.on('close', (code) => {
      clearInterval(timer)
      if (code !== 0) return reject(new Error(`loading ended with ${code}`))
      const { loadMs, heldBytes } = JSON.parse(output) as Omit<Loaded, 'peakBytes'>
      resolve({ loadMs, heldBytes, peakBytes: Math.max(peakBytes, heldBytes) })
    })
  })
}

async function loadHere(folder: string, cache: string | undefined): Promise<void> {
  const settings = { MODEL_NAMES: `loaded=${folder}`, EXECUTION_PROVIDER: 'cpu' }
  const config = loadConfig(cache === undefined ? settings : { ...settings, CACHE_DIR: cache }, [])
  const start = performance.now()
  const { close, keepModels } = await startService({ config, log: () => {} })
  const loadMs = performance.now() - start
  console.log(JSON.stringify({ loadMs, heldBytes: anonymousBytes(process.pid) }))
  await keepModels()
  await close()
}

/** 0 for a process that is not there any more. */
function anonymousBytes(pid: number | undefined): number {
  try {
    const kilobytes = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return 1024 * Number(kilobytes ?? 0)
  } catch {
    return 0
  }
}

function ms(values: readonly number[]): string {
  return `${Math.round(median(values))} ms`
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`
}

const [first = 'bge-large', second, third] = process.argv.slice(2)
if (first === CHILD) {
  await loadHere(second ?? '', third)
} else {
  const dtype = WEIGHT_DTYPES.find((name) => name === (second ?? 'fp32'))
  if (dtype === undefined) throw new Error(`"${second}" is none of ${WEIGHT_DTYPES.join(', ')}`)
  printMachine()
  const parent = third === undefined ? mkdtempSync(join(tmpdir(), 'load-')) : undefined
  try {
    await benchLoad(first, dtype, third ?? join(parent ?? '', first))
  } finally {
    if (parent !== undefined) rmSync(parent, { recursive: true })
  }
}
