/**
 * `node bench/peers/make-models.ts FOLDER`: what peers serve, in plain fp32. `embedder` is the bundled model, its codes times
 * their scales as the graph computes them; `reranker` is the same body under a classifier of random weights, for speed alone.
 */
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { readSafetensors } from '../../src/model/safetensors.ts'
import type { TensorRef } from '../../src/model/spec.ts'
import { MODEL, seededRandom } from '../harness.ts'

interface Weight {
  readonly shape: readonly number[]
  readonly values: Float32Array
}

type Weights = ReadonlyMap<string, Weight>

export interface PeerModels {
  readonly embedder: string
  readonly reranker: string
}

/** Makes both folders, each whole or not at all; those that are there are left as they are. */
export async function makePeerModels(folder: string): Promise<PeerModels> {
  const models = { embedder: join(resolve(folder), 'embedder'), reranker: join(resolve(folder), 'reranker') }
  if (existsSync(models.embedder) && existsSync(models.reranker)) return models
  const weights = await readWeights(join(MODEL, 'model.safetensors'))
  const config = plainConfig()
  writeWhole(models.embedder, (partial) => {
    cpSync(MODEL, partial, { recursive: true })
    writeFileSync(join(partial, 'config.json'), JSON.stringify(config, undefined, 2))
    writeFileSync(join(partial, 'model.safetensors'), encodeWeights(weights))
  })
  writeWhole(models.reranker, (partial) => {
    mkdirSync(partial, { recursive: true })
    for (const file of ['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json'])
      cpSync(join(MODEL, file), join(partial, file))
    const labels = { id2label: { 0: 'LABEL_0' }, label2id: { LABEL_0: 0 } }
    const classifier = { ...config, architectures: ['BertForSequenceClassification'], ...labels }
    writeFileSync(join(partial, 'config.json'), JSON.stringify(classifier, undefined, 2))
    writeFileSync(join(partial, 'model.safetensors'), encodeWeights(withClassifier(weights)))
  })
  return models
}

function writeWhole(folder: string, fill: (partial: string) => void): void {
  if (existsSync(folder)) return
  const partial = `${folder}.partial-${process.pid}`
  try {
    fill(partial)
    renameSync(partial, folder)
  } finally {
    rmSync(partial, { recursive: true, force: true })
  }
}

/** Says nothing of codes any more: the tensors are plain. */
function plainConfig(): Record<string, unknown> {
  const config = JSON.parse(readFileSync(join(MODEL, 'config.json'), 'utf8')) as Record<string, unknown>
  delete config['quantization_config']
  return config
}

const SCALE = '_scale'

async function readWeights(path: string): Promise<Weights> {
  const { tensors } = await readSafetensors(path)
  const file = readFileSync(path)
  const weights = new Map<string, Weight>()
  for (const [name, tensor] of Object.entries(tensors)) {
    if (name.endsWith(`.weight${SCALE}`)) continue
    const scale = tensors[`${name}${SCALE}`]
    weights.set(name, {
      shape: tensor.shape,
      values:
        scale === undefined
          ? floatsOf(file, tensor)
          : dequantize(codesOf(file, tensor), floatsOf(file, scale)),
    })
  }
  return weights
}

function floatsOf(file: Buffer, { dtype, byteOffset, byteLength }: TensorRef): Float32Array {
  if (dtype !== 'F32') throw new Error(`a tensor of the bundled model is ${dtype}, not F32`)
  // Copied: in the file it may lie at any byte.
  return new Float32Array(Uint8Array.from(file.subarray(byteOffset, byteOffset + byteLength)).buffer)
}

function codesOf(file: Buffer, { byteOffset, byteLength }: TensorRef): Int8Array {
  return new Int8Array(file.buffer, file.byteOffset + byteOffset, byteLength)
}

/** One scale a row. The product is rounded to float32 once, as `Mul` does. */
function dequantize(codes: Int8Array, scales: Float32Array): Float32Array {
  const columns = codes.length / scales.length
  return Float32Array.from(codes, (code, i) => code * (scales[Math.floor(i / columns)] as number))
}

function withClassifier(weights: Weights): Weights {
  const random = seededRandom(9)
  const width = weights.get('embeddings.LayerNorm.weight')?.values.length ?? 0
  const draw = (rows: number): Float32Array =>
    Float32Array.from({ length: rows * width }, () => (random() - 0.5) / Math.sqrt(width))
  const body = [...weights].filter(([name]) => !name.startsWith('pooler.'))
  return new Map([
    ...body.map(([name, weight]) => [`bert.${name}`, weight] as const),
    ['bert.pooler.dense.weight', { shape: [width, width], values: draw(width) }],
    ['bert.pooler.dense.bias', { shape: [width], values: new Float32Array(width) }],
    ['classifier.weight', { shape: [1, width], values: draw(1) }],
    ['classifier.bias', { shape: [1], values: new Float32Array(1) }],
  ])
}

/** A safetensors file: length of the header, the header padded to eight bytes, the numbers. */
function encodeWeights(weights: Weights): Buffer {
  let end = 0
  const entries = [...weights].map(([name, { shape, values }]) => {
    const begin = end
    end += values.byteLength
    return [name, { dtype: 'F32', shape, data_offsets: [begin, end] }] as const
  })
  const json = JSON.stringify({ __metadata__: { format: 'pt' }, ...Object.fromEntries(entries) })
  const header = Buffer.from(json.padEnd(Math.ceil(json.length / 8) * 8))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(header.length))
  const numbers = [...weights.values()].map(({ values }) =>
    Buffer.from(values.buffer, values.byteOffset, values.byteLength),
  )
  return Buffer.concat([length, header, ...numbers])
}

if (import.meta.main) {
  const [folder] = process.argv.slice(2)
  if (folder === undefined) {
    console.error('usage: node bench/peers/make-models.ts FOLDER')
    process.exit(2)
  }
  console.log(JSON.stringify(await makePeerModels(folder)))
}
