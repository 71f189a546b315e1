/** Finds pictures by what is in them: a model that sees, and reads, in this process, by `handler()`. */
import { join } from 'node:path'
import sharp from 'sharp'

process.env['MODEL_NAMES'] = join(import.meta.dirname, 'shapes-clip')
// The environment is read when the handler is first called.
const { close, handler } = await import('../handler.ts')

type Rgb = readonly [red: number, green: number, blue: number]

/** Whether a point belongs to the shape, whose middle is at 0, 0. */
type Shape = (x: number, y: number) => boolean

interface Picture {
  readonly query: string
  readonly colour: Rgb
  readonly shape: Shape
}

const EDGE = 96
const GROUND: Rgb = [235, 235, 235]
const circle: Shape = (x, y) => x * x + y * y < 30 ** 2
const square: Shape = (x, y) => Math.max(Math.abs(x), Math.abs(y)) < 27
const triangle: Shape = (x, y) => y < 25 && y > 2 * Math.abs(x) - 30
const ring: Shape = (x, y) => circle(x, y) && x * x + y * y > 18 ** 2
const cross: Shape = (x, y) => square(x, y) && Math.min(Math.abs(x), Math.abs(y)) < 8

const PICTURES: readonly Picture[] = [
  { query: 'a red circle', colour: [215, 35, 40], shape: circle },
  { query: 'a blue circle', colour: [45, 75, 215], shape: circle },
  { query: 'a picture of a blue square', colour: [45, 75, 215], shape: square },
  { query: 'a green triangle', colour: [35, 155, 55], shape: triangle },
  { query: 'an orange ring', colour: [240, 140, 25], shape: ring },
  { query: 'purple cross on white', colour: [135, 45, 165], shape: cross },
]

/** As a PNG in a data URI. */
async function draw({ colour, shape }: Picture): Promise<string> {
  const pixels = Uint8Array.from({ length: 3 * EDGE * EDGE }, (_, index) => {
    const [x, y] = [Math.floor(index / 3) % EDGE, Math.floor(index / (3 * EDGE))]
    const rgb = shape(x - EDGE / 2, y - EDGE / 2) ? colour : GROUND
    return rgb[index % 3] as number
  })
  const png = await sharp(pixels, { raw: { width: EDGE, height: EDGE, channels: 3 } })
    .png()
    .toBuffer()
  return `data:image/png;base64,${png.toString('base64')}`
}

/** Vectors of length 1. Throws what the handler says where it fails. */
async function embed(input: readonly (string | { image: string })[]): Promise<number[][]> {
  const output = (await handler({ input: { input } })) as
    | { data: readonly { embedding: number[] }[] }
    | { error: string }
  if ('error' in output) throw new Error(output.error)
  return output.data.map(({ embedding }) => embedding)
}

const similarity = (a: readonly number[], b: readonly number[]) =>
  a.reduce((sum, value, at) => sum + value * (b[at] ?? 0), 0)

try {
  const drawn = await Promise.all(PICTURES.map(draw))
  const pictures = await embed(drawn.map((image) => ({ image })))
  const queries = await embed(PICTURES.map(({ query }) => query))
  for (const [index, query] of queries.entries()) {
    const ranked = pictures
      .map((picture, at) => ({ at, score: similarity(query, picture) }))
      .toSorted((a, b) => b.score - a.score)
    const [first, second] = ranked
    const found = first?.at === index
    if (!found) process.exitCode = 1
    const scores = [first, second].map((one) => `picture ${one?.at} ${one?.score.toFixed(3)}`).join('   ')
    console.log(`${PICTURES[index]?.query.padEnd(28)}${scores}   ${found ? 'found' : `not found: ${index}`}`)
  }
} finally {
  await close()
}
