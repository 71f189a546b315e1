import type { GraphNode } from './ir.ts'
import { OPERATORS } from './ops.ts'

/** Drops nodes that no output depends on, and the names of outputs that nobody uses: a kernel skips what has none. */
export function prune(nodes: readonly GraphNode[], outputs: Iterable<string>): GraphNode[] {
  const used = new Set(outputs)
  const kept: GraphNode[] = []
  for (const node of nodes.toReversed()) {
    if (!node.outputs.some(({ name }) => used.has(name))) continue
    for (const input of node.inputs) used.add(input)
    kept.push({ ...node, outputs: pruneOutputs(node, used) })
  }
  return kept.reverse()
}

/** The first one keeps its name in any case: no kernel does without. */
function pruneOutputs(
  { op, outputs, writesAll = OPERATORS[op]?.writesAll }: GraphNode,
  used: ReadonlySet<string>,
): GraphNode['outputs'] {
  if (writesAll === true) return outputs
  const last = outputs.findLastIndex(({ name }) => used.has(name))
  return outputs
    .slice(0, last + 1)
    .map((output, index) => (index === 0 || used.has(output.name) ? output : { ...output, name: '' }))
}
