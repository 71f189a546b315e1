import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { buildTokens } from '../../../src/tokenize/token-columns.ts'

test('each text gets its own tokens, with the part of it that each was made from', async () => {
  const tokens = await buildTokens(['ab c', '', '😀é😀'], {
    ids: Int32Array.of(2, 10, 11, 3, 12, 13),
    bounds: Int32Array.of(0, 4, 4, 6),
    starts: Int32Array.of(-1, 0, 3, -1, 0, 2),
    stops: Int32Array.of(-1, 2, 4, -1, 2, 3),
    names: new Map([
      [2, '[CLS]'],
      [3, '[SEP]'],
    ]),
  })
  const added = { special: true, start: null, stop: null }
  expect(tokens).toStrictEqual([
    [
      { id: 2, text: '[CLS]', ...added },
      { id: 10, text: 'ab', special: false, start: 0, stop: 2 },
      { id: 11, text: 'c', special: false, start: 3, stop: 4 },
      { id: 3, text: '[SEP]', ...added },
    ],
    [],
    [
      { id: 12, text: '😀é', special: false, start: 0, stop: 2 },
      { id: 13, text: '😀', special: false, start: 2, stop: 3 },
    ],
  ])
})

test('a lone half of a surrogate pair is one character', async () => {
  const [tokens] = await buildTokens(['\ud83dx😀y'], {
    ids: Int32Array.of(1, 2),
    bounds: Int32Array.of(0, 2),
    starts: Int32Array.of(1, 3),
    stops: Int32Array.of(2, 4),
    names: new Map(),
  })
  expect(tokens?.map(({ text }) => text)).toEqual(['x', 'y'])
})

/** Tokens of one text, at these places. */
function columnsOf(places: readonly (readonly [number, number])[]) {
  return {
    ids: Int32Array.from(places, () => 1),
    bounds: Int32Array.of(0, places.length),
    starts: Int32Array.from(places, ([start]) => start),
    stops: Int32Array.from(places, ([, stop]) => stop),
    names: new Map<number, string>(),
  }
}

test('places are found in any order, and past the end, whatever the text', async () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'é', '😀', '\ud83d', '\ude00'), maxLength: 12 })
  const places = fc.array(fc.tuple(fc.nat(14), fc.nat(14)), { maxLength: 8 })
  await fc.assert(
    fc.asyncProperty(text, places, async (text, places) => {
      const [tokens] = await buildTokens([text], columnsOf(places))
      const characters = Array.from(text)
      expect(tokens?.map((token) => token.text)).toEqual(
        places.map(([start, stop]) => characters.slice(start, stop).join('')),
      )
    }),
  )
})

test.each(['x', '😀'])('others get their turn while many tokens of "%s" are built', async (letter) => {
  const places = Array.from({ length: 20_000 }, (_, n) => [n, n + 1] as const)
  let turns = 0
  const count = () => {
    turns++
    turn = setImmediate(count)
  }
  let turn = setImmediate(count)
  const [tokens] = await buildTokens([letter.repeat(20_000)], columnsOf(places))
  clearImmediate(turn)
  expect(tokens).toHaveLength(20_000)
  expect(turns).toBeGreaterThanOrEqual(4)
})
