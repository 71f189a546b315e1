import { expect, test } from 'vitest'
import type { GraphNode } from '../../../src/graph/ir.ts'
import { prune } from '../../../src/graph/prune.ts'

/** A node of an operator with outputs that may be left out, which makes values of these names. */
function node(inputs: readonly string[], ...names: readonly string[]): GraphNode {
  const outputs = names.map((name) => ({ name, dtype: 'f32' as const, shape: ['T'] }))
  return { op: 'SkipLayerNormalization', inputs, attributes: {}, outputs }
}

/** What is left of the nodes, as the names that they make. */
function left(nodes: readonly GraphNode[], ...outputs: readonly string[]): string[][] {
  return prune(nodes, outputs).map((kept) => kept.outputs.map(({ name }) => name))
}

test('nodes that an output depends on stay, as they are and in their order', () => {
  const nodes = [node(['x'], 'a'), node(['x', 'a'], 'b'), node(['b', ''], 'c')]
  expect(prune(nodes, ['c'])).toEqual(nodes)
})

test('a node that nothing depends on is dropped, and what only it used', () => {
  const nodes = [node(['x'], 'a'), node(['x'], 'b'), node(['b'], 'c'), node(['c'], 'd'), node(['a'], 'e')]
  expect(left(nodes, 'e')).toEqual([['a'], ['e']])
  expect(left(nodes)).toEqual([])
})

test('what one output does not use stays for another', () => {
  const nodes = [node(['x'], 'a'), node(['a'], 'b'), node(['a'], 'c')]
  expect(left(nodes, 'b', 'c')).toEqual([['a'], ['b'], ['c']])
  expect(left(nodes, 'a')).toEqual([['a']])
})

test('an unused output in the middle loses its name, and unused ones at the end are gone', () => {
  const nodes = [node(['x'], 'a', 'b', 'c', 'd'), node(['a', 'c'], 'y')]
  expect(left(nodes, 'y')).toEqual([['a', '', 'c'], ['y']])
})

test('an output of the graph is a use', () => {
  expect(left([node(['x'], 'a', 'b', 'c')], 'a', 'c')).toEqual([['a', '', 'c']])
})

test('the first output of a node that stays keeps its name though nobody uses it', () => {
  const nodes = [node(['x'], 'a', 'b', 'c'), node(['c'], 'y')]
  expect(left(nodes, 'y')).toEqual([['a', '', 'c'], ['y']])
})

test('an operator that writes all its outputs keeps all of them', () => {
  const split = { ...node(['x'], 'a', 'b', 'c', 'd'), op: 'Split' }
  expect(left([split, node(['c'], 'y')], 'y')).toEqual([['a', 'b', 'c', 'd'], ['y']])
  expect(left([split, node(['x'], 'y')], 'y')).toEqual([['y']])
})

test('the nodes given are not changed', () => {
  const nodes = [node(['x'], 'a', 'b', 'c'), node(['c'], 'y')]
  const before = structuredClone(nodes)
  prune(nodes, ['y'])
  expect(nodes).toEqual(before)
})
