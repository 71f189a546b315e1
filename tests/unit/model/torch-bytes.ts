/** Writes checkpoints as torch.save lays them out: pickles of protocol 2 in zip archives. */
import { floats } from './safetensors-bytes.ts'
import type { RawEntry, ZipOptions } from './zip-bytes.ts'
import { zip } from './zip-bytes.ts'

export interface TorchTensor {
  readonly storage: string
  /** Name of the class in torch. */
  readonly type: string
  readonly bytes: Uint8Array
  readonly elements: number
  readonly offset: number
  readonly shape: readonly number[]
  readonly strides: readonly number[]
  readonly isParameter?: boolean
}

/** Of a storage of its own unless said otherwise. */
export function floatTensor(
  shape: readonly number[],
  values: readonly number[],
  changes: Partial<TorchTensor> = {},
): TorchTensor {
  return {
    storage: '',
    type: 'FloatStorage',
    bytes: floats(...values),
    elements: values.length,
    offset: 0,
    shape,
    strides: shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1)),
    ...changes,
  }
}

/** The checkpoint of a state_dict. */
export function checkpoint(
  tensors: Readonly<Record<string, TorchTensor>>,
  { entries = [], ...options }: ZipOptions & { readonly entries?: readonly RawEntry[] } = {},
): Uint8Array {
  const named = Object.entries(tensors).map(
    ([name, tensor], i) => [name, { ...tensor, storage: tensor.storage || String(i) }] as const,
  )
  const storages = new Map(named.map(([, tensor]) => [tensor.storage, tensor.bytes]))
  const data = [...storages].map(([key, bytes]) => ({ name: `archive/data/${key}`, bytes, padding: 13 }))
  return archive(pickleOf(named), [...data, ...entries], options)
}

/** A checkpoint of any pickle at all. */
export function archive(
  pickle: Uint8Array,
  entries: readonly RawEntry[] = [],
  options: ZipOptions = {},
): Uint8Array {
  const own = { name: 'archive/data.pkl', bytes: pickle }
  return zip([own, ...entries.filter(({ name }) => name !== own.name)], options)
}

function pickleOf(named: readonly (readonly [string, TorchTensor])[]): Uint8Array {
  return pickle([
    global('collections', 'OrderedDict'),
    ')R',
    'q\x00(',
    ...named.flatMap(([name, tensor]) => [text(name), tensorCode(tensor)]),
    'u',
    // what torch hangs on a state_dict: versions of modules
    '}',
    text('_metadata'),
    '}sb',
  ])
}

function tensorCode({ isParameter = false, ...tensor }: TorchTensor): string {
  const hooks = global('collections', 'OrderedDict') + ')R'
  const rebuilt =
    global('torch._utils', '_rebuild_tensor_v2') +
    `((${text('storage')}${global('torch', tensor.type)}${text(tensor.storage)}${text('cpu')}${integer(tensor.elements)}tQ` +
    `${integer(tensor.offset)}${sizes(tensor.shape)}${sizes(tensor.strides)}\x89${hooks}tR`
  return isParameter ? `${global('torch._utils', '_rebuild_parameter')}(${rebuilt}\x88${hooks}tR` : rebuilt
}

/** Opcodes as characters, one a byte. */
export function pickle(codes: readonly string[]): Uint8Array {
  return Buffer.from(`\x80\x02${codes.join('')}.`, 'latin1')
}

export function global(module: string, name: string): string {
  return `c${module}\n${name}\n`
}

export function text(value: string): string {
  const bytes = Buffer.from(value, 'utf8')
  return `X${little(bytes.length, 4)}${bytes.toString('latin1')}`
}

export function integer(value: number): string {
  if (value >= 0 && value < 256) return `K${little(value, 1)}`
  if (value >= 0 && value < 65_536) return `M${little(value, 2)}`
  if (Math.abs(value) < 2 ** 31) return `J${little(value, 4)}`
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64LE(BigInt(value))
  return `\x8a\x08${bytes.toString('latin1')}`
}

function sizes(values: readonly number[]): string {
  return `(${values.map(integer).join('')}t`
}

function little(value: number, bytes: number): string {
  return Array.from({ length: bytes }, (_, i) => String.fromCharCode((value >> (8 * i)) & 255)).join('')
}
