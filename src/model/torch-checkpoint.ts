/** A checkpoint of torch.save: a zip archive of one pickle and of the bytes of each storage. Nothing in it is executed. */
import { realpath } from 'node:fs/promises'
import { basename } from 'node:path'
import { ServerError } from '../errors.ts'
import { openFile } from './open-file.ts'
import type { PickleObject, PickleValue } from './pickle-machine.ts'
import { PickleGlobal, readPickle } from './pickle-machine.ts'
import type { RawTensor, WeightFile } from './safetensors.ts'
import { isUsable } from './safetensors.ts'
import type { TensorRef } from './spec.ts'
import { lastOf, layoutOf, overlaps } from './strides.ts'
import type { OpenArchive, ZipEntry } from './zip-directory.ts'
import { readBytes, readZipDirectory } from './zip-directory.ts'

/** Some 250 are written for a tensor. */
const MAX_PICKLE_BYTES = 20_000_000

/** As many as torch allows. A shape may be shared by any number of tensors, each of which would read it anew. */
const MAX_AXES = 64

/** Classes of storages: the dtype as safetensors calls it, and the bytes of an element. */
const STORAGES: Readonly<Record<string, readonly [dtype: string, bytes: number]>> = {
  'torch.FloatStorage': ['F32', 4],
  'torch.HalfStorage': ['F16', 2],
  'torch.BFloat16Storage': ['BF16', 2],
  'torch.CharStorage': ['I8', 1],
  'torch.DoubleStorage': ['F64', 8],
  'torch.LongStorage': ['I64', 8],
  'torch.IntStorage': ['I32', 4],
  'torch.ShortStorage': ['I16', 2],
  'torch.ByteStorage': ['U8', 1],
  'torch.BoolStorage': ['BOOL', 1],
}

const REBUILD_TENSOR = 'torch._utils._rebuild_tensor_v2'
const REBUILD_PARAMETER = 'torch._utils._rebuild_parameter'
const ORDERED_DICT = 'collections.OrderedDict'
const SIZE = 'torch.Size'

interface Storage extends PickleObject {
  readonly kind: 'storage'
  readonly key: string
  readonly dtype: string
  readonly elementBytes: number
  readonly elements: number
}

interface Tensor extends PickleObject {
  readonly kind: 'tensor'
  readonly storage: Storage
  /** In elements. */
  readonly offset: number
  readonly shape: readonly number[]
  /** In elements. */
  readonly strides: readonly number[]
}

/**
 * The tensors of a checkpoint, each where its bytes lie in the file. Throws `model_unsupported` for a format of another age, a
 * tensor whose numbers overlap, or a pickle that asks for anything but tensors, by its name; `model_invalid` for a
 * file that is broken.
 */
export async function openTorchCheckpoint(path: string): Promise<WeightFile> {
  const file = await realpath(path)
  const name = basename(path)
  const handle = await openFile(file)
  try {
    const archive = { handle, size: (await handle.stat()).size, name }
    await expectArchive(archive)
    const entries = await readZipDirectory(archive)
    const root = findRoot(entries, name)
    await expectLittleEndian(archive, entries.get(`${root}byteorder`))
    const pickle = await readEntry(archive, entries, `${root}data.pkl`)
    const found = tensorsOf(readPickle(pickle, rulesFor(name)), name)
    return placeTensors(found, { file, name, root, entries })
  } finally {
    await handle.close()
  }
}

const SIGNATURES: readonly (readonly [offset: number, text: string, what: string])[] = [
  [0, '\x80\x02', 'is in the format of torch before version 1.6'],
  [257, 'ustar', 'is in the tar format of torch before version 0.1.10'],
  [0, 'version https://git-lfs', 'is a Git LFS pointer, which stands for a file that was not downloaded'],
]

async function expectArchive(archive: OpenArchive): Promise<void> {
  const start = await readBytes(
    archive,
    { byteOffset: 0, byteLength: Math.min(archive.size, 512) },
    'its start',
  )
  const at = (offset: number, text: string) => start.toString('latin1', offset, offset + text.length) === text
  if (at(0, 'PK\x03\x04')) return
  const what = SIGNATURES.find(([offset, text]) => at(offset, text))?.[2]
  if (what === undefined) throw invalid(archive.name, 'is not a checkpoint of torch: it is no zip archive')
  throw new ServerError(
    'model_unsupported',
    `${archive.name} ${what}; supported is what torch.save writes since version 1.6, or model.safetensors`,
  )
}

/** torch puts all entries into a folder named after the file. */
function findRoot(entries: ReadonlyMap<string, ZipEntry>, name: string): string {
  const roots = [...entries.keys()].flatMap((entry) => /^([^/]+\/)data\.pkl$/.exec(entry)?.[1] ?? [])
  const [root] = roots
  if (root === undefined || roots.length > 1)
    throw invalid(name, `holds ${roots.length} entries */data.pkl; a checkpoint of torch holds one`)
  return root
}

/** The entry is missing in checkpoints of torch before version 2.1, which are little-endian. */
async function expectLittleEndian(archive: OpenArchive, entry: ZipEntry | undefined): Promise<void> {
  if (entry === undefined) return
  const start = { ...entry, byteLength: Math.min(16, entry.byteLength) }
  const order = await readBytes(archive, start, 'byteorder')
  if (order.toString('latin1') === 'little') return
  throw new ServerError(
    'model_unsupported',
    `${archive.name} is ${order.toString('latin1')}-endian; supported is little`,
  )
}

async function readEntry(
  archive: OpenArchive,
  entries: ReadonlyMap<string, ZipEntry>,
  path: string,
): Promise<Buffer> {
  const entry = entries.get(path)
  if (entry === undefined) throw invalid(archive.name, `lacks the entry ${path}`)
  if (entry.byteLength > MAX_PICKLE_BYTES)
    throw invalid(
      archive.name,
      `has a pickle of ${entry.byteLength} bytes; at most ${MAX_PICKLE_BYTES} are allowed`,
    )
  return readBytes(archive, entry, path)
}

function rulesFor(name: string) {
  const allowed = new Map(
    [REBUILD_TENSOR, REBUILD_PARAMETER, ORDERED_DICT, SIZE, ...Object.keys(STORAGES)].map((path) => [
      path,
      new PickleGlobal(path),
    ]),
  )
  return {
    name: `${name}: its pickle`,
    find: (path: string) => allowed.get(path),
    call: ({ path }: PickleGlobal, args: readonly PickleValue[]) => callAllowed(path, args, name),
    load: (id: PickleValue) => readStorage(id, name),
  }
}

function callAllowed(path: string, args: readonly PickleValue[], name: string): PickleValue {
  const [first] = args
  switch (path) {
    case ORDERED_DICT:
      if (args.length === 0) return new Map()
      break
    case SIZE:
      if (Array.isArray(first)) return first
      break
    case REBUILD_PARAMETER:
      if (isTensor(first)) return first
      break
    case REBUILD_TENSOR:
      return rebuildTensor(args, name)
  }
  throw invalid(name, `calls ${path} with what it does not take`)
}

function rebuildTensor([storage, offset, shape, strides]: readonly PickleValue[], name: string): Tensor {
  if (
    !isStorage(storage) ||
    !isSize(offset) ||
    !isSizes(shape) ||
    !isSizes(strides) ||
    shape.length !== strides.length
  )
    throw invalid(name, `calls ${REBUILD_TENSOR} with what it does not take`)
  return { kind: 'tensor', storage, offset, shape, strides }
}

/** `('storage', class, key, device, elements)` */
function readStorage(id: PickleValue, name: string): Storage {
  const [kind, type, key, , elements] = Array.isArray(id) ? id : []
  const facts = type instanceof PickleGlobal ? STORAGES[type.path] : undefined
  if (kind !== 'storage' || facts === undefined || typeof key !== 'string' || !isSize(elements))
    throw invalid(name, 'names a storage in a way that torch.save does not')
  const [dtype, elementBytes] = facts
  return { kind: 'storage', key, dtype, elementBytes, elements }
}

/** Of a dictionary, the entries that are tensors: some programs keep numbers of their own beside them. */
function tensorsOf(value: PickleValue, name: string): readonly (readonly [string, Tensor])[] {
  const entries = value instanceof Map ? [...value] : []
  const tensors = entries.flatMap(([key, item]) =>
    typeof key === 'string' && isTensor(item) ? [[key, item] as const] : [],
  )
  if (tensors.length > 0 || entries.length === 0) return expectDictionary(value, tensors, name)
  const keys = entries.slice(0, 5).map(([key]) => (typeof key === 'string' ? key : typeof key))
  throw new ServerError(
    'model_unsupported',
    `${name}: its dictionary holds no tensor but ${keys.join(', ')}; supported is a state_dict saved by itself`,
  )
}

function expectDictionary<X>(value: PickleValue, tensors: X, name: string): X {
  if (value instanceof Map) return tensors
  throw new ServerError(
    'model_unsupported',
    `${name} holds no dictionary; supported is a state_dict saved by itself`,
  )
}

interface Place {
  readonly file: string
  readonly name: string
  readonly root: string
  readonly entries: ReadonlyMap<string, ZipEntry>
}

function placeTensors(named: readonly (readonly [string, Tensor])[], place: Place): WeightFile {
  const tensors: [string, TensorRef][] = []
  const unusable: [string, RawTensor][] = []
  for (const [name, tensor] of named) {
    const { dtype } = tensor.storage
    const found = {
      file: place.file,
      ...locate(name, tensor, place),
      ...layoutOf(tensor.shape, tensor.strides),
    }
    if (isUsable(dtype)) tensors.push([name, { ...found, dtype }])
    else unusable.push([name, { ...found, dtype }])
  }
  return { tensors: Object.fromEntries(tensors), unusable: Object.fromEntries(unusable) }
}

function locate(
  name: string,
  { storage, offset, shape, strides }: Tensor,
  { name: file, root, entries }: Place,
) {
  const entry = entries.get(`${root}data/${storage.key}`)
  if (entry === undefined) throw invalid(file, `lacks storage ${storage.key} of tensor ${name}`)
  const { elementBytes, elements } = storage
  if (elements * elementBytes > entry.byteLength)
    throw invalid(
      file,
      `storage ${storage.key} has ${entry.byteLength} bytes; its ${elements} elements take more`,
    )
  const count = shape.reduce((product, size) => product * size, 1)
  if (!Number.isSafeInteger(count))
    throw invalid(file, `tensor ${name} has a shape of ${count} numbers, more than can be counted`)
  const end = count === 0 ? offset : offset + lastOf(shape, strides) + 1
  if (offset + count > elements || end > elements)
    throw invalid(
      file,
      `tensor ${name} ends at element ${Math.max(end, offset + count)} of a storage of ${elements}`,
    )
  if (count > 0 && overlaps(shape, strides)) {
    throw new ServerError(
      'model_unsupported',
      `${file}: tensor ${name} [${shape.join(', ')}] has numbers that lie among each other, by strides [${strides.join(', ')}]; a copy saved as model.safetensors would work`,
    )
  }
  return { byteOffset: entry.byteOffset + offset * elementBytes, byteLength: count * elementBytes }
}

function isStorage(value: PickleValue): value is Storage {
  return isObject(value) && value.kind === 'storage'
}

function isTensor(value: PickleValue): value is Tensor {
  return isObject(value) && value.kind === 'tensor'
}

function isObject(value: PickleValue): value is PickleObject {
  return typeof value === 'object' && 'kind' in value
}

function isSize(value: PickleValue): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function isSizes(value: PickleValue): value is number[] {
  return Array.isArray(value) && value.length <= MAX_AXES && value.every(isSize)
}

function invalid(name: string, what: string): ServerError {
  return new ServerError('model_invalid', `${name} ${what}`)
}
