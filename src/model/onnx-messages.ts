/** Where in an ONNX file tensors may stand: its messages by the numbers of their fields (onnx.proto of ONNX 1.23). */

export type OnnxMessage =
  | 'model'
  | 'training'
  | 'graph'
  | 'function'
  | 'node'
  | 'attribute'
  | 'sparse'
  | 'tensor'
  | 'entry'

/** Only what leads to tensors and to the entries that say where their bytes are. */
export const NESTED: Readonly<Record<OnnxMessage, Readonly<Record<number, OnnxMessage>>>> = {
  model: { 7: 'graph', 20: 'training', 25: 'function' },
  training: { 1: 'graph', 2: 'graph' },
  graph: { 1: 'node', 5: 'tensor', 15: 'sparse' },
  function: { 7: 'node', 11: 'attribute' },
  node: { 5: 'attribute' },
  attribute: { 5: 'tensor', 6: 'graph', 10: 'tensor', 11: 'graph', 22: 'sparse', 23: 'sparse' },
  sparse: { 1: 'tensor', 2: 'tensor' },
  tensor: { 13: 'entry' },
  entry: {},
}

/**
 * Fields that stand once, of those that say where weights are. Of two the library of protocol buffers takes the last, or joins
 * them; no exporter writes them.
 */
export const SINGLE: Readonly<Record<OnnxMessage, readonly number[]>> = {
  model: [7],
  training: [1, 2],
  graph: [],
  function: [],
  node: [],
  attribute: [5, 6, 22],
  sparse: [1, 2],
  tensor: [2, 8, 9, 14],
  entry: [1, 2],
}

export const TENSOR = { dims: 1, type: 2, name: 8 } as const
export const GRAPH = { initializer: 5, input: 11, output: 12 } as const
export const ENTRY = { key: 1, value: 2 } as const

/** TensorProto.DataType: what messages call it, and its bits. */
export const ELEMENTS: Readonly<Record<number, readonly [name: string, bits: number]>> = {
  1: ['float32', 32],
  2: ['uint8', 8],
  3: ['int8', 8],
  4: ['uint16', 16],
  5: ['int16', 16],
  6: ['int32', 32],
  7: ['int64', 64],
  9: ['bool', 8],
  10: ['float16', 16],
  11: ['float64', 64],
  12: ['uint32', 32],
  13: ['uint64', 64],
  16: ['bfloat16', 16],
  17: ['float8e4m3fn', 8],
  19: ['float8e5m2', 8],
  21: ['uint4', 4],
  22: ['int4', 4],
}

/** The library of protocol buffers goes no deeper either. */
export const MOST_DEEP = 100
