/** How many pictures a second become what a tower reads, beside transformers' processors where there is a Python with them? */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MediaThreads } from '../../src/media/media.ts'
import type { ImageProcessing } from '../../src/model/spec.ts'
import { interleave, median, ratio } from '../harness.ts'
import type { PythonPeer } from '../peers/python-lines.ts'
import { PYTHON, openPython } from '../peers/python-lines.ts'
import { makePicture } from './make-picture.ts'
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
export const benchMedia: Part = async (report, { rounds, throughputTexts: pictures }) => {
  const folder = await mkdtemp(join(tmpdir(), 'bench-media-'))
  const thread = new MediaThreads()
  const peer = await openPython('image-processor.py')
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
  readonly thread: MediaThreads
  readonly peer: PythonPeer | undefined
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
      torchvision: () => peer.ask({ processor: 'torchvision', file, count: pictures }),
      pillow: () => peer.ask({ processor: 'pillow', file, count: pictures }),
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
