/** JPEG to vector by a tower of the shape of ViT-B/32, beside transformers with the same weights: it makes them, so it must be there. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import sharp from 'sharp'
import { loadConfig } from '../../src/config.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { startService } from '../../src/start.ts'
import type { EmbedResult } from '../../src/task.ts'
import { CACHE } from '../flags.ts'
import { interleave, median, ratio } from '../harness.ts'
import type { PythonPeer } from '../peers/python-lines.ts'
import { PYTHON, openPython } from '../peers/python-lines.ts'
import { makePicture } from './make-picture.ts'
import type { Part, PartReport } from './part.ts'

const FOLDER = join(CACHE, 'vit-b-32')
const PICTURES = 64
const BATCH = 32
const SIDE = 224
const LARGE = { count: 12, width: 4000, height: 3000 }

export const benchPictures: Part = async (report, { rounds }) => {
  const peer = await openPython('image-embedder.py', [FOLDER])
  report.section(`JPEG of ${SIDE} × ${SIDE} to the vector of a ViT-B/32 (${peer?.title ?? 'not run'})`)
  if (peer === undefined) return report.figure('not run', `there is no ${PYTHON}`)
  const folder = await mkdtemp(join(tmpdir(), 'bench-pictures-'))
  let busyMs = 0
  const config = loadConfig({ MODEL_NAMES: `vit=${FOLDER}`, EXECUTION_PROVIDER: 'cpu' }, [])
  const service = await startService({
    config,
    log: () => {},
    onBatch: (_, { runMs }) => (busyMs += runMs),
  })
  try {
    const pictures = await Promise.all(Array.from({ length: PICTURES }, (_, n) => makePicture(SIDE, SIDE, n)))
    const files = pictures.map((_, n) => join(folder, `${n}.jpg`))
    await Promise.all(files.map((file, n) => writeFile(file, pictures[n] as Buffer)))
    await compare(report, { engine: service.engine, peer, pictures, files, rounds })
    await watchDevice(report, service.engine, pictures, () => busyMs)
    await watchLoop(report, service.engine, pictures)
  } finally {
    await Promise.all([service.close(), peer.stop(), rm(folder, { recursive: true })])
  }
}

interface Compared {
  readonly engine: Engine
  readonly peer: PythonPeer
  readonly pictures: readonly Buffer[]
  readonly files: readonly string[]
  readonly rounds: number
}

async function compare(
  report: PartReport,
  { engine, peer, pictures, files, rounds }: Compared,
): Promise<void> {
  const { first } = await peer.ask({ files: files.slice(0, 1), batch: 1 })
  const { vectors } = await embed(engine, pictures.slice(0, 1))
  report.figure('cosine to its vector', cosine([...vectors], first as number[]).toFixed(6))
  const seconds = await interleave(2 * rounds + 1, {
    'one at a time': async () => {
      for (const picture of pictures) await embed(engine, [picture])
    },
    [`${BATCH} at a time`]: async () => {
      for (let at = 0; at < PICTURES; at += BATCH) await embed(engine, pictures.slice(at, at + BATCH))
    },
    'transformers, one at a time': () => peer.ask({ files, batch: 1 }),
    [`transformers, ${BATCH} at a time`]: () => peer.ask({ files, batch: BATCH }),
  })
  for (const [name, values] of Object.entries(seconds))
    report.figure(name, `${(PICTURES / median(values)).toFixed(1)} pictures/s`)
  for (const name of ['one at a time', `${BATCH} at a time`])
    report.figure(
      `${name}, times transformers`,
      ratio(seconds, name, `transformers, ${name}`).toFixed(2),
      '≥ 1.5',
    )
}

/** Of one request: what is prepared while others are computed costs no time. */
async function watchDevice(
  report: PartReport,
  engine: Engine,
  pictures: readonly Buffer[],
  busyMs: () => number,
): Promise<void> {
  const before = busyMs()
  const start = performance.now()
  await embed(engine, pictures)
  const ms = performance.now() - start
  report.figure(
    `${PICTURES} in one request: the device computes`,
    `${((100 * (busyMs() - before)) / ms).toFixed(0)} % of ${ms.toFixed(0)} ms`,
  )
}

async function watchLoop(report: PartReport, engine: Engine, pictures: readonly Buffer[]): Promise<void> {
  const { count, width, height } = LARGE
  const one = await sharp(await makePicture(width / 4, height / 4))
    .resize(width, height)
    .jpeg({ quality: 88 })
    .toBuffer()
  const large = Array<Buffer>(count).fill(one)
  const sets = { [`${PICTURES} of ${SIDE} × ${SIDE}`]: pictures, [`${count} of ${width} × ${height}`]: large }
  for (const [name, set] of Object.entries(sets)) {
    await sleep(100)
    const delay = monitorEventLoopDelay({ resolution: 1 })
    delay.enable()
    await embed(engine, set)
    delay.disable()
    report.figure(`main thread held up at most, by ${name}`, `${(delay.max / 1e6).toFixed(1)} ms`, '≤ 10 ms')
  }
}

function embed(engine: Engine, pictures: readonly Buffer[]): Promise<EmbedResult> {
  const items = pictures.map((bytes, index) => ({
    modality: 'image' as const,
    name: `input[${index}]`,
    source: { bytes },
  }))
  return engine.embedMedia({ kind: 'embed_media', model: 'vit', items })
}

function cosine(a: readonly number[], b: readonly number[]): number {
  const dot = (x: readonly number[], y: readonly number[]) =>
    x.reduce((sum, value, index) => sum + value * (y[index] as number), 0)
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))
}
