/** ONNX Runtime itself, on graphs made by hand and weights in temporary files. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { encodeGraph } from '../../../src/graph/encode.ts'
import type { Graph } from '../../../src/graph/ir.ts'
import type { TensorRef } from '../../../src/model/spec.ts'
import { makeFolder } from '../model/model-folder.ts'

/** A tensor in a file of its own, behind `skipped` bytes of something else. */
export async function fileTensor(
  data: Float32Array | Int8Array,
  shape: readonly number[],
  skipped = 0,
): Promise<TensorRef> {
  const file = join(await makeFolder(), 'weights.bin')
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  await writeFile(file, Buffer.concat([Buffer.alloc(skipped, 77), bytes, Buffer.alloc(5, 99)]))
  const dtype = data instanceof Int8Array ? 'I8' : 'F32'
  return { file, byteOffset: skipped, byteLength: bytes.length, dtype, shape }
}

export interface Feed {
  readonly data: Int32Array | Float32Array
  readonly dims: readonly number[]
}

export interface Output {
  readonly dims: readonly number[]
  readonly data: number[]
}

/** The graph's one output. */
export async function runGraph(graph: Graph, feeds: Iterable<readonly [string, Feed]>): Promise<Output> {
  const [output] = await runBatches(graph, [feeds])
  if (output === undefined) throw new Error('the batch has no output')
  return output
}

/** The graph's one output for each batch. */
export async function runBatches(
  graph: Graph,
  batches: readonly Iterable<readonly [string, Feed]>[],
): Promise<Output[]> {
  const session = await InferenceSession.create(encodeGraph(graph), {
    logSeverityLevel: 3,
    intraOpNumThreads: 1,
    extra: { session: { model_external_initializers_file_folder_path: '/' } },
  })
  const outputs: Output[] = []
  for (const feeds of batches) {
    const [output] = Object.values(await session.run(tensorsOf(feeds)))
    if (output === undefined) throw new Error('the graph has no output')
    outputs.push({ dims: output.dims, data: [...(output.data as Float32Array)] })
  }
  await session.release()
  return outputs
}

function tensorsOf(feeds: Iterable<readonly [string, Feed]>): Record<string, Tensor> {
  const tensors: Record<string, Tensor> = {}
  for (const [name, { data, dims }] of feeds) {
    tensors[name] =
      data instanceof Int32Array ? new Tensor('int32', data, dims) : new Tensor('float32', data, dims)
  }
  return tensors
}
