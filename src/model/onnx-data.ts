/**
 * The files that an exported model's weights lie in. ONNX Runtime looks for them beside the model and follows no link out of
 * that folder, and in a cache of the hub all files are such links. So the model is given to it with their absolute paths in place
 * of their names, which are checked here: with absolute paths it would read any file of this machine.
 */
import { realpath, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ServerError } from '../errors.ts'
import { nestedIn, readEntry, withOnnx } from './onnx-file.ts'
import { ENTRY } from './onnx-messages.ts'
import type { OnnxMessage } from './onnx-messages.ts'
import type { Field, ProtobufFile } from './protobuf-file.ts'
import { BYTES, varint } from './protobuf-file.ts'

/** Beside its weights a model has a few megabytes. */
const MOST_BYTES = 200_000_000

interface OnnxPlace {
  /** Not resolved: the data's names count from the folder that it stands in. */
  readonly path: string
  /** What errors call it. */
  readonly name: string
}

/**
 * The model with the absolute paths of its data, without the leading slash. Throws `model_invalid` where data is missing or
 * would lie outside the folder.
 */
export async function pointAtData(
  model: OnnxPlace,
  locations: readonly string[],
): Promise<Uint8Array<ArrayBuffer>> {
  const paths = new Map<string, string>()
  for (const location of locations) paths.set(location, await findData(model, location))
  return withOnnx(model.path, model.name, async (file) => {
    if (file.size > MOST_BYTES)
      throw file.invalid(`it has ${file.size} bytes beside its weights; at most ${MOST_BYTES} are allowed`)
    return joined(await rewrite(file, 'model', { start: 0, end: file.size }, paths))
  })
}

/** A name such as `model.onnx_data`: of a file in the model's folder, or in a folder there. */
async function findData({ path, name }: OnnxPlace, location: string): Promise<string> {
  const isInside =
    /^[^\\\0]+$/.test(location) && !location.split('/').some((part) => ['', '.', '..'].includes(part))
  if (!isInside)
    throw new ServerError(
      'model_invalid',
      `${name} names ${JSON.stringify(location)} for its weights, which is no file of its folder`,
    )
  const data = join(dirname(path), location)
  const isFile = await stat(data).then(
    (stats) => stats.isFile(),
    () => false,
  )
  if (!isFile)
    throw new ServerError('model_invalid', `${name} has weights in ${location} beside it, which is missing`)
  return (await realpath(data)).slice(1)
}

type Range = Pick<Field, 'start' | 'end'>

/** The message anew; only what leads to data's names is taken apart. */
async function rewrite(
  file: ProtobufFile,
  message: OnnxMessage,
  { start, end }: Range,
  paths: ReadonlyMap<string, string>,
): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = []
  let copied = start
  for await (const field of file.fields(start, end)) {
    const inner = nestedIn(message, field)
    if (inner === undefined) continue
    const content =
      inner === 'entry' ? await rewriteEntry(file, field, paths) : await rewrite(file, inner, field, paths)
    chunks.push(await file.bytes(copied, field.begin - copied), ...framed(field.number, content))
    copied = field.end
  }
  return [...chunks, await file.bytes(copied, end - copied)]
}

async function rewriteEntry(
  file: ProtobufFile,
  entry: Range,
  paths: ReadonlyMap<string, string>,
): Promise<Uint8Array[]> {
  const { key, value } = await readEntry(file, entry)
  const same = [await file.bytes(entry.start, entry.end - entry.start)]
  if (key !== 'location') return same
  const path = value && paths.get(await file.text(value, Infinity))
  if (path === undefined) throw file.invalid('it changed while it was read')
  return [...framed(ENTRY.key, [Buffer.from(key)]), ...framed(ENTRY.value, [Buffer.from(path)])]
}

function framed(number: number, content: readonly Uint8Array[]): Uint8Array[] {
  const length = content.reduce((sum, { byteLength }) => sum + byteLength, 0)
  return [varint(number * 8 + BYTES), varint(length), ...content]
}

function joined(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(chunks.reduce((sum, { byteLength }) => sum + byteLength, 0))
  let end = 0
  for (const chunk of chunks) {
    bytes.set(chunk, end)
    end += chunk.byteLength
  }
  return bytes
}
