/** What clients may ask for besides the vector that a folder gives, proved against it. */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ModelSpec } from '../../src/model/spec.ts'
import { BUNDLED_MODEL, type OpenModel, openModel } from '../open-model.ts'

const TEXTS = ['hello', 'The quick brown fox jumps over the lazy dog.', 'Café crème, 78% — 東京 🍕', '']
const CHUNKS = ['The quick brown fox', ' jumps over', ' the lazy dog.']

describe.each([
  ['the bundled model', BUNDLED_MODEL],
  ['bert-mean-normalize', folderOf('bert-mean-normalize')],
  ['bert-dense-chain', folderOf('bert-dense-chain')],
])('%s normalizes', (_, folder) => {
  const { model, other: raw } = openBoth(folder, withoutNormalize)

  test('and a vector that is not wanted normalized is what the folder without its last step gives', async () => {
    const { vectors } = await embed(model(), { normalize: false })
    expectClose(vectors, (await embed(raw())).vectors, 1e-6)
    expect(normsOf(vectors).every((norm) => Math.abs(norm - 1) > 1e-3)).toBe(true)
  })

  test('and the folder without its last step, told to normalize, gives the same vectors', async () => {
    const { vectors } = await embed(raw(), { normalize: true })
    expectClose(vectors, (await embed(model())).vectors, 1e-6)
  })

  test('and a cut has norm 1, or that of the vector not normalized', async () => {
    const whole = await embed(model(), { normalize: false })
    const raw = await embed(model(), { normalize: false, dimensions: 8 })
    const unit = await embed(model(), { dimensions: 8 })
    const heads = TEXTS.flatMap((_, row) => [
      ...whole.vectors.subarray(row * whole.dimensions, row * whole.dimensions + 8),
    ])
    expect([...raw.vectors]).toEqual(heads)
    for (const [row, norm] of normsOf(unit.vectors).entries()) {
      expect(norm).toBeCloseTo(1, 6)
      const scale = normsOf(raw.vectors)[row] as number
      const restored = unit.vectors.subarray(row * 8, row * 8 + 8).map((value) => value * scale)
      expectClose(restored, raw.vectors.subarray(row * 8, row * 8 + 8), 1e-6)
    }
  })
})

describe.each([
  ['the bundled model', BUNDLED_MODEL],
  ['bert-mean-normalize', folderOf('bert-mean-normalize')],
  ['bert-relu, which does not normalize', folderOf('bert-relu')],
])('%s averages its tokens', (_, folder) => {
  const { model } = openBoth(folder)

  test('and their mean is the vector', async () => {
    const { tokens, width } = await embedTokens(model(), TEXTS)
    const means = tokens.map((vectors) => meanOf(vectors, width, 0, vectors.length / width))
    expectClose(Float32Array.from(means.flat()), (await embed(model(), { normalize: false })).vectors, 1e-6)
  })

  test('and the vectors of a text do not depend on what else is in its request', async () => {
    const together = await embedTokens(model(), TEXTS)
    for (const [index, text] of TEXTS.entries()) {
      const { tokens } = await embedTokens(model(), [text])
      expectClose(tokens[0] as Float32Array, together.tokens[index] as Float32Array, 1e-5)
    }
  })

  test('and late chunks are the means of their tokens in the whole document', async () => {
    const { tokens, width } = await embedTokens(model(), [CHUNKS.join('')])
    const counts = await Promise.all(CHUNKS.map(async (chunk) => tokenCount(model(), chunk)))
    // The first token is the template's.
    const starts = counts.reduce((bounds, count) => [...bounds, (bounds.at(-1) ?? 0) + count], [1])
    expect(tokens[0]).toHaveLength(((starts.at(-1) as number) + 1) * width)
    const means = CHUNKS.map((_, n) =>
      meanOf(tokens[0] as Float32Array, width, starts[n] as number, starts[n + 1] as number),
    )
    const late = { texts: CHUNKS, lateChunking: true }
    const raw = await embed(model(), { ...late, normalize: false })
    expectClose(raw.vectors, Float32Array.from(means.flat()), 1e-6)
    const unit = await embed(model(), { ...late, normalize: true })
    const expected = means.map((mean) => mean.map((value) => value / Math.hypot(...mean)))
    expectClose(unit.vectors, Float32Array.from(expected.flat()), 1e-6)
    const alone = await embed(model(), { texts: CHUNKS, normalize: false })
    expect(worstOf(raw.vectors, alone.vectors)).toBeGreaterThan(0.01)
  })
})

test('a document of late chunks that is longer than the model takes is refused, whatever truncation says', async () => {
  const model = await openModel(folderOf('bert-mean-normalize'))
  const task = {
    texts: [CHUNKS.join(''), 'the lazy dog. '.repeat(30)],
    lateChunking: true,
    truncate: 'right',
  }
  await expect(embed(model, task)).rejects.toMatchObject({ code: 'text_too_long' })
  await model.close()
})

function folderOf(name: string): string {
  return join(import.meta.dirname, 'bert', name, 'model')
}

/** A folder, and the same with a changed spec, for all tests of a block. */
function openBoth(folder: string, change?: (spec: ModelSpec) => ModelSpec) {
  const opened: OpenModel[] = []
  beforeAll(async () => {
    opened.push(await openModel(folder))
    if (change !== undefined) opened.push(await openModel(folder, { change }))
  })
  afterAll(async () => {
    await Promise.all(opened.map((model) => model.close()))
  })
  return { model: () => opened[0] as OpenModel, other: () => opened[1] as OpenModel }
}

function withoutNormalize(spec: ModelSpec): ModelSpec {
  if (spec.head.kind !== 'embedding' || spec.head.steps.at(-1)?.kind !== 'normalize') {
    throw new Error(`${spec.name} does not normalize`)
  }
  return { ...spec, head: { ...spec.head, steps: spec.head.steps.slice(0, -1) } }
}

function embed({ engine }: OpenModel, fields: object = {}) {
  return engine.embed({ kind: 'embed', model: undefined, texts: TEXTS, ...fields })
}

function embedTokens({ engine }: OpenModel, texts: readonly string[]) {
  return engine.embedTokens({ kind: 'embed_tokens', model: undefined, texts })
}

async function tokenCount({ engine }: OpenModel, text: string): Promise<number> {
  const task = { kind: 'tokenize', model: undefined, texts: [text], addSpecialTokens: false } as const
  return (await engine.tokenize(task)).tokens[0]?.length ?? 0
}

function meanOf(vectors: Float32Array, width: number, from: number, to: number): number[] {
  return Array.from({ length: width }, (_, d) => {
    let sum = 0
    for (let t = from; t < to; t++) sum += vectors[t * width + d] as number
    return sum / (to - from)
  })
}

function normsOf(vectors: Float32Array): number[] {
  const width = vectors.length / TEXTS.length
  return TEXTS.map((_, row) => Math.hypot(...vectors.subarray(row * width, (row + 1) * width)))
}

/** `tolerance`: of the largest number. */
function expectClose(actual: Float32Array, expected: Float32Array, tolerance: number): void {
  expect(actual.length).toBe(expected.length)
  expect(worstOf(actual, expected)).toBeLessThanOrEqual(tolerance * Math.max(1, ...expected.map(Math.abs)))
}

function worstOf(actual: Float32Array, expected: Float32Array): number {
  return Math.max(...expected.map((value, index) => Math.abs((actual[index] ?? NaN) - value)))
}
