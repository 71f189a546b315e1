/**
 * `node tools/cuda/try-session.ts cpu|0|1…`: one session, one run, as the program itself would have them. A process of its
 * own, since a driver or library that does not fit may end it. Prints the milliseconds that it took, or fails with ONNX
 * Runtime's words.
 */
import { CPU } from '../../src/devices/device.ts'
import { encodeGraph } from '../../src/graph/encode.ts'
import { createSession } from '../../src/runtime/session.ts'
import { TINY_GRAPH, TINY_INPUT } from './tiny-graph.ts'

const [name = 'cpu'] = process.argv.slice(2)
const device = name === 'cpu' ? CPU : ({ kind: 'cuda', index: Number(name) } as const)
const startMs = performance.now()
const session = await createSession(encodeGraph(TINY_GRAPH), { device, threadCount: 1 })
const { rows } = await session.run(new Map([[TINY_INPUT, { data: Float32Array.of(1.5), dims: [1, 1] }]]))
if (rows[0] !== 2.25) throw new Error(`1.5 · 1.5 is ${rows[0]} on ${name}`)
console.log(Math.round(performance.now() - startMs))
