import { expect, test } from 'vitest'
import { findRoute } from '../../../src/engine/find-route.ts'
import type { Route } from '../../../src/model/spec.ts'

function routes(...tasks: readonly (readonly string[])[]): Route[] {
  return tasks.map((names) => ({ tasks: names, steps: [] }))
}

function named(name: string) {
  return { name, ifUnknown: 'ignore' } as const
}

test('the kind of a text finds its route, by whatever name clients call it', () => {
  const two = routes(['document'], ['other', 'query'])
  for (const name of ['query', 'search_query', 'retrieval.query', 'code.query'])
    expect(findRoute(two, named(name))).toBe(1)
  for (const name of ['document', 'passage', 'search_document']) expect(findRoute(two, named(name))).toBe(0)
  expect(findRoute(two, named('other'))).toBe(1)
  expect(findRoute(routes(['query'], ['doc']), named('passage'))).toBe(1)
})

test("a route's own name comes before its synonyms", () => {
  expect(findRoute(routes(['query'], ['search_query']), named('search_query'))).toBe(1)
})

test('what a text is for comes before the name of its prompt', () => {
  const two = routes(['document'], ['query'])
  expect(findRoute(two, { text: 'Find: ', task: 'query' })).toBe(1)
  expect(findRoute(two, { ...named('document'), task: 'query' })).toBe(1)
})

test('a text of no kind, or of one without a route, takes the first', () => {
  const two = routes(['document'], ['query'])
  expect(findRoute(two, undefined)).toBe(0)
  expect(findRoute(two, { text: 'query' })).toBe(0)
  expect(findRoute(two, named('clustering'))).toBe(0)
})
