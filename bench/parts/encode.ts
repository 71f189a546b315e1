/** What does a large answer cost beside the model, and how long does it keep others waiting? */
import { encodeJson } from '../../src/base/encode-json.ts'
import { dispatch } from '../../src/dialects/dispatch.ts'
import type { VectorFormat } from '../../src/dialects/encode-vectors.ts'
import { encodeVectors } from '../../src/dialects/encode-vectors.ts'
import { median, seededRandom, textOf } from '../harness.ts'
import { stubService } from '../stub-service.ts'
import type { Part, PartReport } from './part.ts'

const TEXTS = 2048
const TOKENS = 63
const DIMENSIONS = 1024
const ROUNDS = 15
const WARM_UPS = 3

export const benchEncode: Part = async (report) => {
  const vectors = unitVectors()
  report.section(`one answer of ${TEXTS} vectors of ${DIMENSIONS} numbers`)
  await reading(vectors, report)
  await encoding('base64', vectors, { report, format: { dtype: 'float', base64: true }, markMs: 30 })
  const text = await encoding('numbers', vectors, {
    report,
    format: { dtype: 'float', base64: false },
    markMs: 200,
  })
  await encoding('int8', vectors, { report, format: { dtype: 'int8', base64: false } })
  const widened = JSON.stringify(Array.from(vectors)).length
  const saved = 1 - text.byteLength / widened
  report.figure('numbers: bytes saved against widened numbers', `${(100 * saved).toFixed(0)} %`, '35 %')
}

/** The body is checked and the task made; the answer holds views of the vectors. */
async function reading(vectors: Float32Array, report: PartReport): Promise<void> {
  const random = seededRandom(7)
  const body = { input: Array.from({ length: TEXTS }, () => textOf(TOKENS, random)), model: 'stub' }
  const service = stubService(vectors, DIMENSIONS)
  await measure('reading the request and dispatching it', { report, markMs: 3 }, async () => {
    const { error } = await dispatch({ method: 'POST', route: '/v1/embeddings', body }, service)
    if (error !== undefined) throw error
  })
}

interface Measure {
  readonly report: PartReport
  readonly markMs?: number
}

interface Encoding extends Measure {
  readonly format: VectorFormat
}

/** From the engine's vectors to the bytes of the answer. */
async function encoding(name: string, vectors: Float32Array, options: Encoding): Promise<Buffer> {
  const { format } = options
  let json: Buffer = Buffer.alloc(0)
  await measure(name, options, async () => {
    const embeddings = await encodeVectors(vectors, DIMENSIONS, format)
    const data = embeddings.map((embedding, index) => ({ object: 'embedding', index, embedding }))
    json = await encodeJson({ object: 'list', model: 'stub', data })
  })
  return json
}

async function measure(name: string, { report, markMs }: Measure, run: () => Promise<void>): Promise<void> {
  const times: number[] = []
  const blocks: number[] = []
  for (let round = -WARM_UPS; round < ROUNDS; round++) {
    const watch = watchLoop()
    const start = performance.now()
    await run()
    const ms = performance.now() - start
    const blockMs = watch.end()
    if (round < 0) continue
    times.push(ms)
    blocks.push(blockMs)
  }
  report.figure(name, `${median(times).toFixed(1)} ms`, markMs === undefined ? '' : `${markMs} ms`)
  const [usual, most] = [median(blocks), Math.max(...blocks)]
  report.figure(
    '  longest block: median round / worst',
    `${usual.toFixed(1)} / ${most.toFixed(1)} ms`,
    '10 ms',
  )
}

/** The longest time for which the event loop did not go round. */
function watchLoop(): { end: () => number } {
  let last = performance.now()
  let longest = 0
  const look = () => {
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
  }
  const tick = () => {
    look()
    next = setImmediate(tick)
  }
  let next = setImmediate(tick)
  return {
    end: () => {
      look()
      clearImmediate(next)
      return longest
    },
  }
}

function unitVectors(): Float32Array {
  const random = seededRandom(6)
  const vectors = new Float32Array(TEXTS * DIMENSIONS)
  for (let start = 0; start < vectors.length; start += DIMENSIONS) {
    // a sum of uniform numbers is near enough to a normal one
    const vector = Array.from({ length: DIMENSIONS }, () => random() + random() + random() + random() - 2)
    const length = Math.hypot(...vector)
    vectors.set(
      vector.map((value) => value / length),
      start,
    )
  }
  return vectors
}
