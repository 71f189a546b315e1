import { setImmediate as nextTurn } from 'node:timers/promises'
import * as fc from 'fast-check'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { encodeJson } from '../../../src/base/encode-json.ts'

/** What one turn may encode: twice the 8,192 values at which it ends, for the last piece may be as large as all before. */
const MOST_VALUES = 2 * 8192

afterEach(() => {
  vi.restoreAllMocks()
})

/** What encoding took: how often the event loop went round meanwhile, and the longest text made between two rounds. */
async function watch(value: unknown): Promise<{ text: string; turns: number; longest: number }> {
  const lengths = [0]
  const stringify = JSON.stringify.bind(JSON)
  vi.spyOn(JSON, 'stringify').mockImplementation((...given: Parameters<typeof JSON.stringify>) => {
    const text = stringify(...given)
    lengths.push((lengths.pop() ?? 0) + text.length)
    return text
  })
  let ended = false
  const count = () => {
    if (ended) return
    lengths.push(0)
    setImmediate(count)
  }
  setImmediate(count)
  const text = (await encodeJson(value)).toString('utf8')
  ended = true
  vi.restoreAllMocks()
  return { text, turns: lengths.length - 1, longest: Math.max(...lengths) }
}

describe('the text', () => {
  const leaf = fc.oneof(
    { weight: 4, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
    { weight: 1, arbitrary: fc.string({ unit: 'binary' }) },
    { weight: 1, arbitrary: fc.constantFrom(undefined, NaN, -0, 1e21, 5e-324, '\ud800', '__proto__') },
  )
  const key = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('__proto__', '0', '"', 'constructor'))
  /** Lists long enough to be cut, of leaves and of lists that need cutting themselves. */
  const long = fc
    .tuple(fc.array(leaf, { minLength: 1, maxLength: 6 }), fc.integer({ min: 1, max: 12_000 }))
    .map(([leaves, length]) => Array.from({ length }, (_, index) => leaves[index % leaves.length]))
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      long,
      leaf,
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(key, tie('value'), { maxKeys: 4, noNullPrototype: true }),
    ),
  }))

  test('is that of JSON.stringify, whatever the value', async () => {
    let largest = 0
    await fc.assert(
      fc.asyncProperty(value, async (value) => {
        const expected = Buffer.from(JSON.stringify(value) ?? 'null')
        largest = Math.max(largest, expected.length)
        expect((await encodeJson(value)).equals(expected)).toBe(true)
      }),
      { numRuns: 40 },
    )
    expect(largest).toBeGreaterThan(100_000)
  })

  test.each<[string, unknown]>([
    ['numbers', Array.from({ length: 50_000 }, (_, index) => index / 7)],
    ['big strings', Array.from({ length: 60 }, (_, index) => `${index} "ü\n😀`.repeat(2000))],
    [
      'lists and numbers in turn',
      Array.from({ length: 20_000 }, (_, index) => (index % 2 ? [index] : index)),
    ],
    [
      'lists of lists',
      [[[Array.from({ length: 9000 }, () => 1)], 2], [[Array.from({ length: 9000 }, () => 3)]]],
    ],
    ['nothing but undefined', Array.from({ length: 9000 }, () => undefined)],
    ['a large field between undefined ones', { a: undefined, b: Array(9000).fill(1), c: undefined }],
    ['only undefined fields', { list: Array.from({ length: 9000 }, () => ({ a: undefined })) }],
    ['an object without a field', Object.fromEntries(Array.from({ length: 9000 }, (_, k) => [k, undefined]))],
    ['undefined between large items', [Array(9000).fill(1), undefined, Array(9000).fill(1)]],
    ['a key that is a prototype’s', JSON.parse(`{"__proto__":[${'1,'.repeat(9000)}1]}`)],
    ['an empty list and object at the end', [Array(9000).fill(1), [], {}]],
  ])('is that of JSON.stringify for %s', async (_, value) => {
    expect((await encodeJson(value)).toString('utf8')).toBe(JSON.stringify(value))
  })

  test('of what has none is null', async () => {
    expect((await encodeJson(undefined)).toString()).toBe('null')
  })
})

describe('typed arrays', () => {
  async function read(value: unknown): Promise<unknown> {
    return JSON.parse((await encodeJson(value)).toString('utf8'))
  }

  test.each<[string, unknown, string]>([
    ['a Float32Array', Float32Array.of(0.1, -1, 1 / 3), '[0.1,-1,0.33333334]'],
    ['an Int8Array', Int8Array.of(-128, 0, 127), '[-128,0,127]'],
    ['a Uint8Array', Uint8Array.of(0, 255), '[0,255]'],
    ['an empty one', new Float32Array(0), '[]'],
    ['a view of a part', new Float32Array([1, 2, 3, 4]).subarray(1, 3), '[2,3]'],
    ['one with what is no number', Float32Array.of(NaN, Infinity, -Infinity), '[null,null,null]'],
    ['one beside undefined', { a: undefined, b: Float32Array.of(1), c: 'ü' }, '{"b":[1],"c":"ü"}'],
    ['several in lists', [[Int8Array.of(1), Int8Array.of(2)], [], 3], '[[[1],[2]],[],3]'],
  ])('%s is a list of numbers', async (_, value, text) => {
    expect((await encodeJson(value)).toString('utf8')).toBe(text)
  })

  test('every number comes back to its float32, however many there are', async () => {
    const numbers = Float32Array.from({ length: 100_000 }, (_, index) => Math.sin(index) / 32)
    const back = (await read({ data: [{ embedding: numbers }] })) as { data: { embedding: number[] }[] }
    expect(Float32Array.from(back.data[0]?.embedding ?? [])).toEqual(numbers)
  })

  test('integers come back, however many there are', async () => {
    const numbers = Int8Array.from({ length: 100_000 }, (_, index) => index % 256)
    expect(await read(numbers)).toEqual(Array.from(numbers))
  })

  test('vectors take a third less than the widened numbers', async () => {
    const numbers = Float32Array.from({ length: 10_000 }, (_, index) => Math.sin(index) / 32)
    const { byteLength } = await encodeJson(numbers)
    expect(byteLength).toBeLessThan(0.65 * JSON.stringify(Array.from(numbers)).length)
  })
})

describe('long strings', () => {
  const text = 'ü"\\\n😀\ud800'.repeat(500)
  test.each<[string, unknown]>([
    ['alone', text],
    ['in a list', ['a', text, 'b', text]],
    ['in objects', { data: [{ text, index: 0 }, { text }], [text]: 1 }],
  ])('%s have the text of JSON.stringify', async (_, value) => {
    expect((await encodeJson(value)).toString('utf8')).toBe(JSON.stringify(value))
  })
})

describe('turns', () => {
  test('a small value is encoded at once', async () => {
    expect(await watch({ list: Array(8000).fill(1) })).toMatchObject({ turns: 0 })
  })

  const rows = Array.from({ length: 400 }, (_, index) => ({
    index,
    embedding: Array<number>(384).fill(0.125),
  }))
  test.each<[string, unknown, { values: number; width: number }]>([
    ['numbers', Array(500_000).fill(0.125), { values: 500_000, width: 6 }],
    ['vectors', { data: rows }, { values: 400 * 386, width: 6 }],
    ['vectors behind a number', [1, { data: rows }], { values: 400 * 386, width: 6 }],
    ['big strings', Array(2000).fill('x'.repeat(3200)), { values: 2000 * 101, width: 33 }],
    ['small lists', Array.from({ length: 200_000 }, () => [1]), { values: 200_000, width: 8 }],
    [
      'fields',
      Object.fromEntries(rows.map(({ embedding }, k) => [k, embedding])),
      { values: 400 * 385, width: 6 },
    ],
  ])('between the pieces of %s the event loop goes round', async (_, value, { values, width }) => {
    const { text, turns, longest } = await watch(value)
    expect(text).toBe(JSON.stringify(value))
    expect(turns).toBeGreaterThanOrEqual(Math.floor(values / MOST_VALUES))
    expect(longest).toBeLessThanOrEqual(MOST_VALUES * width)
  })

  test('one vector is encoded at once', async () => {
    expect(await watch({ data: [{ embedding: new Int8Array(4096).fill(1) }] })).toMatchObject({ turns: 0 })
  })

  test('the event loop goes round between the numbers of a typed array', async () => {
    const { turns } = await watch(new Int8Array(1_000_000))
    expect(turns).toBeGreaterThanOrEqual(Math.floor(1_000_000 / (4 * MOST_VALUES)))
  })

  test('the event loop goes round between vectors', async () => {
    const { turns } = await watch(Array.from({ length: 1000 }, () => new Float32Array(1024)))
    expect(turns).toBeGreaterThanOrEqual(Math.floor(1_024_000 / (4 * MOST_VALUES)))
  })

  test.each<[string, unknown]>([
    ['a list', Array(100_000).fill(1)],
    ['a typed array', new Float32Array(100_000)],
    ['a list of long strings', Array(500).fill('x'.repeat(3200))],
  ])('others get their turn before the text of %s is there', async (_, value) => {
    const order: string[] = []
    const encoded = encodeJson(value).then(() => order.push('text'))
    await nextTurn()
    order.push('other')
    await encoded
    expect(order).toEqual(['other', 'text'])
  })
})
