/** The scales of codes, as compressed-tensors and transformers (FineGrainedFP8) write them: found by name, told by their shape. */
import { ServerError } from '../errors.ts'
import type { TensorRef } from '../model/spec.ts'
import { isCode } from '../model/spec.ts'
import type { Matrix } from './matrix.ts'

/** What activations would be rounded with. They are not, so that these have no use. */
export const ACTIVATION_SCALE = /\.((input|output|activation|[qkv])_(global_)?scale|input_zero_point)$/

/** Rows and columns that share a scale. */
export type BlockSize = readonly [rows: number, columns: number]

/** The name of the scale of this weight; FineGrainedFP8 calls inverse what is multiplied all the same. */
export function findScale(tensors: Readonly<Record<string, TensorRef>>, name: string): string | undefined {
  return [`${name}_scale`, `${name}_scale_inv`].find((candidate) => Object.hasOwn(tensors, candidate))
}

/**
 * Undefined where no number of blocks fits, or where the scale is no float. Throws `model_unsupported` where blocks of several
 * sizes fit: which of them a group of tensors has is not followed.
 */
export function withScale(
  values: TensorRef,
  scale: TensorRef,
  sizes: readonly BlockSize[],
): Matrix | undefined {
  if (isCode(scale.dtype)) return undefined
  const [rows = 0, columns = 0] = values.shape
  const count = scale.shape.reduce((product, size) => product * size, 1)
  if (count === rows && scale.shape[0] === rows) return { values, scale: { ...scale, shape: [rows, 1] } }
  if (count === 1) return blocked(values, scale, [rows, columns])
  const [size, ...others] = sizes
    .filter(([height, width]) => {
      const [below, beside] = [Math.ceil(rows / height), Math.ceil(columns / width)]
      return scale.shape.join() === [below, beside].join()
    })
    // A block ends where the matrix does.
    .map(([height, width]): BlockSize => [Math.min(height, rows), Math.min(width, columns)])
  const other = others.find((candidate) => candidate.join() !== size?.join())
  if (size !== undefined && other !== undefined) throw ambiguous(values, scale, [size, other])
  return size && blocked(values, scale, size)
}

function ambiguous(values: TensorRef, scale: TensorRef, sizes: readonly BlockSize[]): ServerError {
  const [is, of] = [scale, values].map(({ shape }) => `[${shape.join(', ')}]`)
  const found = sizes.map(([height, width]) => `${height} × ${width}`).join(' and of ')
  return new ServerError(
    'model_unsupported',
    `quantization_config has groups of several sizes: scales ${is} of a weight ${of} fit blocks of ${found}`,
  )
}

function blocked(values: TensorRef, scale: TensorRef, [rows, columns]: BlockSize): Matrix {
  const shape = [
    Math.ceil((values.shape[0] as number) / rows),
    Math.ceil((values.shape[1] as number) / columns),
  ]
  return { values, scale: { ...scale, shape }, blocks: { rows, columns, rowsAbove: 0 } }
}

/**
 * The sizes of blocks that config.json names: `weight_block_size` of FineGrainedFP8; of each group of compressed-tensors
 * `block_structure`, or `group_size` numbers of a row.
 */
export function blockSizesOf(config: Readonly<Record<string, unknown>>): readonly BlockSize[] {
  const quantization = recordOf(config['quantization_config'])
  const groups = Object.values(recordOf(quantization['config_groups'])).map((group) =>
    recordOf(recordOf(group)['weights']),
  )
  const sizes = [quantization['weight_block_size'], ...groups.map((group) => group['block_structure'])]
  const rows = groups.map((group) => [1, group['group_size']])
  return [...sizes, ...rows].filter(isBlockSize)
}

function isBlockSize(value: unknown): value is BlockSize {
  return (
    Array.isArray(value) &&
    value.length === 2 &&
    value.every((size) => Number.isSafeInteger(size) && size > 0)
  )
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}
