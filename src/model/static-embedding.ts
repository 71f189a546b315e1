/**
 * sentence-transformers' StaticEmbedding, and model2vec's files, which it reads as well: a table of vectors, averaged over the
 * tokens of a text. It has no config.json: sizes are those of the table.
 */
import { join } from 'node:path'
import { z } from 'zod'
import { ServerError } from '../errors.ts'
import { readJson } from './json-file.ts'
import { readNumbers } from './read-numbers.ts'
import type { WeightFile } from './safetensors.ts'
import type { ModelSpec, TensorRef, TokenizerSpec } from './spec.ts'
import { isCode } from './spec.ts'
import { openWeights, ownEntry } from './weight-files.ts'

export type StaticEmbedding = Pick<ModelSpec, 'modelType' | 'config' | 'tensors' | 'tokenizer'>

/** In force here, where a Transformer module would override it. */
const TokenizerJson = z.looseObject({
  truncation: z
    .looseObject({ max_length: z.int().positive(), direction: z.enum(['Left', 'Right']).nullish() })
    .nullish(),
})

/** Throws `model_invalid` or `model_unsupported`, naming the file or the tensor. */
export async function readStaticEmbedding(folder: string, model: string): Promise<StaticEmbedding> {
  const weights = await openWeights(folder)
  const own = ownEntry(weights.tensors, 'embedding.weight')
  const table = expectTable(own ?? ownEntry(weights.tensors, 'embeddings'), model)
  const shared = own === undefined ? await readModel2vec(weights, table, model) : {}
  const [rows = 0, width = 0] = table.shape
  const vocabularySize = shared.row_of?.length ?? rows
  return {
    modelType: 'static',
    config: { model_type: 'static', vocab_size: vocabularySize, rows, hidden_size: width, ...shared },
    tensors: { 'embedding.weight': table },
    tokenizer: await readTokenizer(folder, vocabularySize, model),
  }
}

function expectTable(table: TensorRef | undefined, model: string): TensorRef {
  if (table === undefined || table.shape.length !== 2 || isCode(table.dtype)) {
    throw new ServerError(
      'model_invalid',
      `${model}: there is no matrix embedding.weight, or embeddings, of F32, F16 or BF16`,
    )
  }
  return table
}

interface Shared {
  /** Row of the table that each id takes. */
  readonly row_of?: Int32Array
  /** Factor of each id's vector. */
  readonly weights?: Float32Array
}

async function readModel2vec(
  { tensors, unusable }: WeightFile,
  { shape: [rows = 0] }: TensorRef,
  model: string,
): Promise<Shared> {
  const numbersOf = async (name: string) => {
    const tensor = ownEntry(tensors, name) ?? ownEntry(unusable, name)
    return tensor && readNumbers(tensor, `${model}: tensor ${name}`)
  }
  const mapping = await numbersOf('mapping')
  const weights = await numbersOf('weights')
  const wrong = mapping?.findIndex((row) => !Number.isInteger(row) || row < 0 || row >= rows) ?? -1
  if (wrong >= 0) {
    throw new ServerError(
      'model_invalid',
      `${model}: tensor mapping gives id ${wrong} row ${mapping?.[wrong]}; embeddings has ${rows} rows`,
    )
  }
  const count = mapping?.length ?? rows
  if (weights !== undefined && weights.length !== count) {
    throw new ServerError(
      'model_invalid',
      `${model}: tensor weights has ${weights.length} numbers for ${count} ids`,
    )
  }
  return {
    ...(mapping && { row_of: Int32Array.from(mapping) }),
    ...(weights && { weights: Float32Array.from(weights) }),
  }
}

async function readTokenizer(folder: string, vocabularySize: number, model: string): Promise<TokenizerSpec> {
  const file = join(folder, 'tokenizer.json')
  const json = await readJson(file, TokenizerJson)
  if (json === undefined) throw new ServerError('model_invalid', `${model}: tokenizer.json is missing`)
  return {
    file,
    isBare: true,
    vocabularySize,
    maxTokens: json.truncation?.max_length,
    truncationSide: json.truncation?.direction === 'Left' ? 'left' : 'right',
    lowerCase: false,
  }
}
