import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { ByTokensLeft } from '../../../src/engine/by-tokens-left.ts'
import type { PendingRequest } from '../../../src/engine/pending-request.ts'
import { makeRequest } from '../../fakes/rows.ts'

interface Entry {
  readonly request: PendingRequest
  left: number | undefined
}

function walked(byLeft: ByTokensLeft<Entry>): Entry[] {
  const entries: Entry[] = []
  byLeft.walk((entry) => entries.push(entry) > 0)
  return entries
}

test('requests are walked by what was left of them when they were put, whatever came and went', () => {
  const step = fc.record({ which: fc.nat(7), tokens: fc.option(fc.nat(5), { nil: undefined }) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const entries = Array.from({ length: 8 }, (): Entry => ({ request: makeRequest(), left: undefined }))
      const byLeft = new ByTokensLeft<Entry>()
      let expected: Entry[] = []
      for (const { which, tokens } of steps) {
        const entry = entries[which] as Entry
        if (tokens === undefined) byLeft.remove(entry)
        else {
          entry.request.place.tokens = tokens
          if (entry.left === tokens) continue
          byLeft.put(entry)
        }
        expected = expected.filter((other) => other !== entry)
        if (tokens !== undefined) expected.push(entry)
        expected.sort((one, other) => (one.left as number) - (other.left as number))
        expect(walked(byLeft)).toEqual(expected)
      }
    }),
  )
})

test('those with few left are walked as they were put, before all with more', () => {
  const byLeft = new ByTokensLeft<Entry>(4)
  const entries = [5, 4, 1, 3].map((tokens): Entry => {
    const request = makeRequest()
    request.place.tokens = tokens
    return { request, left: undefined }
  })
  for (const entry of entries) byLeft.put(entry)
  const [first, second, third, fourth] = entries as [Entry, Entry, Entry, Entry]
  second.request.place.tokens = 2
  byLeft.put(second)
  expect(walked(byLeft)).toEqual([second, third, fourth, first])
})

test('the walk ends where it is told to, and goes on past those that leave meanwhile', () => {
  const byLeft = new ByTokensLeft<Entry>()
  const entries = [1, 1, 2, 3, 4].map((tokens): Entry => {
    const request = makeRequest()
    request.place.tokens = tokens
    return { request, left: undefined }
  })
  for (const entry of entries) byLeft.put(entry)
  const seen: number[] = []
  byLeft.walk((entry) => {
    seen.push(entries.indexOf(entry))
    byLeft.remove(entry)
    // A whole number of them that is yet to come.
    byLeft.remove(entries[2] as Entry)
    return seen.length < 3
  })
  expect(seen).toEqual([0, 1, 3])
  expect(walked(byLeft)).toEqual([entries[4]])
})
