/** A whole graph, checked: run on every graph before ONNX Runtime sees it. */
import { ServerError } from '../errors.ts'
import type { Graph, Value } from './ir.ts'
import { formatShape } from './ir.ts'
import { OPERATORS, inferOutputs } from './ops.ts'

/** Throws `graph_invalid` at the first name defined twice or never, or value whose dtype or shape is not what it says. */
export function checkGraph(graph: Graph): void {
  const known = new Map<string, Value>()
  const define = (value: Value): void => {
    if (value.name === '') throw new ServerError('graph_invalid', 'a value has no name')
    if (known.has(value.name)) throw new ServerError('graph_invalid', `${value.name} is defined twice`)
    known.set(value.name, value)
  }
  const lookup = (name: string, user: string): Value => {
    const value = known.get(name)
    if (value === undefined)
      throw new ServerError('graph_invalid', `${user} uses ${name} before it is defined`)
    return value
  }

  for (const input of graph.inputs) define(input)
  for (const initializer of graph.initializers) define(initializer.value)
  for (const node of graph.nodes) {
    const operands = node.inputs.map((name) => (name === '' ? undefined : lookup(name, node.op)))
    const found = inferOutputs(node.op, operands, node.attributes, node.outputs[0])
    const named = node.outputs.filter(({ name }) => name !== '').length
    if ((node.writesAll ?? OPERATORS[node.op]?.writesAll) === true && named < found.length)
      throw new ServerError(
        'graph_invalid',
        `${node.op} names ${named} of the ${found.length} outputs that it writes`,
      )
    for (const [index, output] of node.outputs.entries()) {
      if (output.name === '' && index > 0) continue
      const fact = found[index]
      if (fact === undefined) throw new ServerError('graph_invalid', `${node.op} has no output ${index}`)
      expectSame(output, fact, `${node.op} makes`)
      define(output)
    }
  }
  for (const output of graph.outputs) expectSame(output, lookup(output.name, 'the output'), 'the graph makes')
}

function expectSame(declared: Value, found: Omit<Value, 'name'>, who: string): void {
  const says = `${declared.dtype}${formatShape(declared.shape)}`
  const is = `${found.dtype}${formatShape(found.shape)}`
  if (says !== is)
    throw new ServerError('graph_invalid', `${who} ${declared.name} as ${is}, declared ${says}`)
}
