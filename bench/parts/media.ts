/** How many pictures a second become what a tower reads, beside transformers' processors where there is a Python with them? */
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { MediaThread } from '../../src/media/media.ts'
import type { ImageProcessing } from '../../src/model/spec.ts'
import { CACHE } from '../flags.ts'
import { interleave, median, ratio, seededRandom } from '../harness.ts'
import { startGroup } from '../servers/process-group.ts'
import type { Part, PartReport } from './part.ts'

/** CLIP's, of patches of 32. */
const PROCESSING: ImageProcessing = {
  resize: { kind: 'shortest_edge', edge: 224 },
  resample: 'bicubic',
  crop: { height: 224, width: 224 },
  scale: 1 / 255,
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
  patchSize: 32,
  leadingTokens: 1,
}
const LIMITS = { maxPixels: 64_000_000, maxSeconds: 1 }
const SIZES = [
  [224, 224],
  [1024, 768],
] as const
const PYTHON = join(CACHE, 'sentence-transformers/bin/python')
const SCRIPT = fileURLToPath(new URL('../peers/image-processor.py', import.meta.url))

interface Peer {
  readonly title: string
  readonly run: (processor: string, file: string, count: number) => Promise<void>
  readonly stop: () => Promise<void>
}

export const benchMedia: Part = async (report, { rounds, throughputTexts: pictures }) => {
  const folder = await mkdtemp(join(tmpdir(), 'bench-media-'))
  const thread = new MediaThread()
  const peer = await openPeer()
  try {
    for (const [width, height] of SIZES) {
      const file = join(folder, `${width}.jpg`)
      await writeFile(file, await makePicture(width, height))
      report.section(
        `JPEG of ${width} × ${height} to patches (${peer?.title ?? `no peer: there is no ${PYTHON}`})`,
      )
      await measure(report, { thread, peer, file, pictures, rounds: 2 * rounds + 1 })
    }
  } finally {
    await Promise.all([thread.close(), peer?.stop(), rm(folder, { recursive: true })])
  }
}

interface Measured {
  readonly thread: MediaThread
  readonly peer: Peer | undefined
  readonly file: string
  readonly pictures: number
  readonly rounds: number
}

async function measure(
  report: PartReport,
  { thread, peer, file, pictures, rounds }: Measured,
): Promise<void> {
  const bytes = await readFile(file)
  const prepare = () => thread.prepareImage(bytes, PROCESSING, LIMITS)
  const seconds = await interleave(rounds, {
    'one at a time': async () => {
      for (let count = 0; count < pictures; count++) await prepare()
    },
    'all at once': () => Promise.all(Array.from({ length: pictures }, prepare)),
    ...(peer && {
      torchvision: () => peer.run('torchvision', file, pictures),
      pillow: () => peer.run('pillow', file, pictures),
    }),
  })
  for (const [name, values] of Object.entries(seconds)) {
    report.figure(name, `${(pictures / median(values)).toFixed(0)} pictures/s`)
  }
  if (peer === undefined) return
  for (const other of ['torchvision', 'pillow']) {
    report.figure(`one at a time, times ${other}`, ratio(seconds, 'one at a time', other).toFixed(2), '1.0')
  }
}

async function openPeer(): Promise<Peer | undefined> {
  if (!existsSync(PYTHON)) return undefined
  const command = { program: PYTHON, args: [SCRIPT], env: { HF_HUB_OFFLINE: '1' } }
  const group = startGroup(command, { interactive: true })
  const { stdin, stdout } = group.child
  if (stdin === null || stdout === null) throw new Error(`${PYTHON} has no input or output`)
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]()
  const read = async () => {
    const { value, done } = await lines.next()
    if (done === true) throw new Error(`${SCRIPT} ended: ${group.output()}`)
    return JSON.parse(value) as Record<string, unknown>
  }
  const versions = Object.entries(await read()).map(([name, version]) => `${name} ${String(version)}`)
  return {
    title: versions.join(', '),
    run: async (processor, file, count) => {
      stdin.write(`${JSON.stringify({ processor, file, count })}\n`)
      await read()
    },
    stop: group.stop,
  }
}

/** Waves, discs and noise: it takes a decoder about as long as a photograph. */
async function makePicture(width: number, height: number): Promise<Buffer> {
  const random = seededRandom(9)
  const waves = Array.from({ length: 18 }, () => [random() / 5, random() / 5, random() * 6] as const)
  const discs = Array.from({ length: 20 }, () => ({
    x: random() * width,
    y: random() * height,
    radius: (random() * height) / 5,
    color: [random() * 255, random() * 255, random() * 255],
  }))
  const pixels = new Uint8Array(width * height * 3)
  for (let index = 0; index < pixels.length; index++) {
    const [channel, place] = [index % 3, Math.floor(index / 3)]
    const [x, y] = [place % width, Math.floor(place / width)]
    const disc = discs.find((one) => Math.hypot(one.x - x, one.y - y) < one.radius)
    const level = waves
      .filter((_, wave) => wave % 3 === channel)
      .reduce((sum, [across, down, start]) => sum + 20 * Math.sin(across * x + down * y + start), 128)
    const noise = 20 * (random() + random() - 1)
    pixels[index] = Math.min(Math.max((disc?.color[channel] ?? level) + noise, 0), 255)
  }
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 88 })
    .toBuffer()
}
