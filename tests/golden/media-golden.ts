/** Fixtures of towers: prepared pictures as rows of a batch, and texts of the same model. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CompiledGraph } from '../../src/graph/contract.ts'
import { patchPlaces } from '../../src/media/patch-places.ts'
import { openFolder } from '../../src/model/open-folder.ts'
import type { ImageProcessing, ModelSpec } from '../../src/model/spec.ts'
import { layOut } from '../../src/runtime/feeds.ts'
import type { RaggedRow } from '../../src/runtime/runner.ts'
import { NO_ADAPTER, joinRows } from '../../src/runtime/runner.ts'
import { runGraph } from '../unit/graph/run-graph.ts'

export interface ImageCase {
  readonly name: string
  /** Place among the fixture's pictures. */
  readonly pixels: number
  readonly vector: readonly number[]
}

export interface TextCase {
  readonly name: string
  readonly text: string
  readonly ids: readonly number[]
  readonly vector: readonly number[]
}

export interface MediaGolden {
  readonly spec: ModelSpec
  readonly dimensions: number
  readonly images: readonly ImageCase[]
  /** What the media thread makes of the prepared picture of each. */
  readonly rows: readonly RaggedRow[]
  readonly texts: readonly TextCase[]
}

type Size = readonly [height: number, width: number]

interface Written {
  readonly dimensions: number
  readonly cases: readonly (ImageCase | TextCase)[]
  /** Of all prepared pictures, or of each. */
  readonly size?: Size
  readonly sizes?: readonly Size[]
}

/** `folder`: of golden.json, pixels.f32 ([3, height, width] each) and model/. */
export async function openMediaGolden(folder: string): Promise<MediaGolden> {
  const written = JSON.parse(readFileSync(join(folder, 'golden.json'), 'utf8')) as Written
  const { cases, dimensions, size, sizes } = written
  const numbers = new Float32Array(new Uint8Array(readFileSync(join(folder, 'pixels.f32'))).buffer)
  const spec = await openFolder(join(folder, 'model'))
  const images = cases.filter((golden) => 'pixels' in golden)
  const sizeOf = (picture: number) => (sizes?.[picture] ?? size) as Size
  const startOf = (picture: number): number =>
    picture === 0 ? 0 : startOf(picture - 1) + 3 * sizeOf(picture - 1)[0] * sizeOf(picture - 1)[1]
  const rows = images.map(({ pixels }) =>
    rowOf(spec, numbers.subarray(startOf(pixels), startOf(pixels + 1)), sizeOf(pixels)),
  )
  return { spec, dimensions, images, rows, texts: cases.filter((golden) => 'text' in golden) }
}

function rowOf({ image }: ModelSpec, picture: Float32Array, size: Size): RaggedRow {
  if (image === undefined) throw new Error('the model sees no pictures')
  const { resize, patchSize } = image.processing
  const row = pictureRow(picture, size, image.processing)
  if (resize?.kind !== 'patches' || row.media === undefined) return row
  const [rows, columns] = size.map((pixels) => pixels / patchSize) as [number, number]
  const learned = { rows: resize.places, columns: resize.places }
  return { ...row, media: { ...row.media, places: patchPlaces({ rows, columns }, learned) } }
}

export interface SoundCase {
  readonly name: string
  /** Whether it is longer than the model hears at once. */
  readonly longer: boolean
  readonly features: readonly number[]
  readonly vector: readonly number[]
}

/** The first number of the line behind four views tells whether the sound is longer than one; the others are not read. */
export function soundRow({ features, longer }: SoundCase, { audio }: ModelSpec): RaggedRow {
  const { truncation, featureSize = 0 } = audio?.processing ?? {}
  const line = Array.from({ length: featureSize }, (_, at) => Number(longer === (at === 0)))
  const numbers = truncation === 'fusion' ? [...features, ...line] : features
  const values = new Float32Array(new SharedArrayBuffer(4 * numbers.length))
  values.set(numbers)
  const row = { typeStart: 1, unpooledTokens: 0, adapter: NO_ADAPTER, wantsTokens: false }
  return { ...row, ids: new Int32Array(1), media: { modality: 'audio', values } }
}

/** A picture [3, height, width] as the row that the media thread makes of it: lines of zeros, then patches. */
function pictureRow(
  picture: Float32Array,
  [height, width]: Size,
  { patchSize: p, leadingTokens }: Pick<ImageProcessing, 'patchSize' | 'leadingTokens'>,
): RaggedRow {
  const [lines, columns] = [Math.floor(height / p), Math.floor(width / p)]
  const tokens = leadingTokens + lines * columns
  const values = new Float32Array(new SharedArrayBuffer(tokens * 3 * p * p * 4))
  let at = leadingTokens * 3 * p * p
  for (let line = 0; line < lines; line++)
    for (let column = 0; column < columns; column++)
      for (let channel = 0; channel < 3; channel++)
        for (let y = 0; y < p; y++)
          for (let x = 0; x < p; x++)
            values[at++] = picture[(channel * height + line * p + y) * width + column * p + x] as number
  const row = { typeStart: tokens, unpooledTokens: 0, adapter: NO_ADAPTER, wantsTokens: false }
  return { ...row, ids: new Int32Array(tokens), media: { modality: 'image', values } }
}

export function textRow(ids: readonly number[]): RaggedRow {
  const row = { typeStart: ids.length, unpooledTokens: 0, adapter: NO_ADAPTER, wantsTokens: false }
  return { ...row, ids: Int32Array.from(ids) }
}

/** The vectors of a batch, by ONNX Runtime on the CPU; without the lengths that may stand behind them. */
export async function runRows(compiled: CompiledGraph, rows: readonly RaggedRow[]): Promise<number[][]> {
  const { data, dims } = await runGraph(compiled.graph, layOut(joinRows(rows), compiled.inputs, compiled))
  const width = dims[1] ?? 0
  return rows.map((_, b) => data.slice(b * width, b * width + compiled.vectorWidth))
}
