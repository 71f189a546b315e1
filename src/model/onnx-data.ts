/**
 * The files that an exported model's weights lie in. ONNX Runtime looks for them beside the model and follows no link out of
 * that folder, and in a cache of the hub all files are such links. So the model is given to it with their absolute paths in place
 * of their names, which are checked here: with absolute paths it would read any file of this machine.
 */
import type { Stats } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ServerError } from '../errors.ts'
import type { Range } from './onnx-file.ts'
import { PLACE_KEYS, fieldsOf, nestedIn, readEntry, readFacts, withOnnx } from './onnx-file.ts'
import { ENTRY } from './onnx-messages.ts'
import type { OnnxMessage } from './onnx-messages.ts'
import { BYTES, ProtobufFile, sourceOf, varint } from './protobuf-file.ts'

/** Beside its weights a model has a few megabytes. */
const MOST_BYTES = 200_000_000

interface OnnxPlace {
  /** Not resolved: the data's names count from the folder that it stands in. */
  readonly path: string
  /** What errors call it. */
  readonly name: string
}

/**
 * The model with the absolute paths of its data, without the leading slash. `locations`: the names of its data, and how many
 * bytes of each it takes. Throws `model_invalid` where data is missing or cut short, or would lie outside the folder.
 */
export async function pointAtData(
  model: OnnxPlace,
  locations: ReadonlyMap<string, number>,
): Promise<Uint8Array<ArrayBuffer>> {
  const paths = new Map<string, string>()
  for (const [location, bytes] of locations) paths.set(location, await findData(model, location, bytes))
  return withOnnx(model.path, model.name, async (file) => {
    if (file.size > MOST_BYTES)
      throw file.invalid(`it has ${file.size} bytes beside its weights; at most ${MOST_BYTES} are allowed`)
    const content = joined(await rewrite(file, 'model', { start: 0, end: file.size }, paths))
    await expectOnly(new Set(paths.values()), content, model.name)
    return content
  })
}

/** Read anew, so that a mistake in the writing opens no file either. */
async function expectOnly(paths: ReadonlySet<string>, content: Uint8Array, name: string): Promise<void> {
  const file = new ProtobufFile(sourceOf(content), content.byteLength, name)
  const { locations } = await readFacts(file)
  for (const path of locations.keys())
    if (!paths.has(path)) throw file.invalid(`it still names ${JSON.stringify(path)} for its weights`)
}

/** A name such as `model.onnx_data`: of a file in the model's folder, or in a folder there. */
async function findData({ path, name }: OnnxPlace, location: string, bytes: number): Promise<string> {
  const isInside =
    /^[^\\\0]+$/.test(location) && !location.split('/').some((part) => ['', '.', '..'].includes(part))
  if (!isInside)
    throw new ServerError(
      'model_invalid',
      `${name} names ${JSON.stringify(location)} for its weights, which is no file of its folder`,
    )
  const data = join(dirname(path), location)
  const stats = await stat(data).catch(() => undefined)
  const problem = findProblem(stats, bytes)
  if (problem !== undefined)
    throw new ServerError('model_invalid', `${name} has weights in ${location} beside it, which ${problem}`)
  return (await realpath(data)).slice(1)
}

function findProblem(stats: Stats | undefined, bytes: number): string | undefined {
  if (stats === undefined) return 'is missing'
  if (!stats.isFile()) return 'is not a regular file'
  return stats.size < bytes ? `has ${stats.size} bytes; ${bytes} are needed` : undefined
}

/** The message anew; only what leads to data's names is taken apart. */
async function rewrite(
  file: ProtobufFile,
  message: OnnxMessage,
  range: Range,
  paths: ReadonlyMap<string, string>,
): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = []
  let copied = range.start
  for await (const field of fieldsOf(file, message, range)) {
    const inner = nestedIn(message, field)
    if (inner === undefined) continue
    const content =
      inner === 'entry' ? await rewriteEntry(file, field, paths) : await rewrite(file, inner, field, paths)
    chunks.push(await file.bytes(copied, field.begin - copied))
    if (content !== undefined) chunks.push(...framed(field.number, content))
    copied = field.end
  }
  return [...chunks, await file.bytes(copied, range.end - copied)]
}

/** Of an entry only what was understood goes on: no other field of it, and no entry of another key (undefined). */
async function rewriteEntry(
  file: ProtobufFile,
  entry: Range,
  paths: ReadonlyMap<string, string>,
): Promise<Uint8Array[] | undefined> {
  const { key, value } = await readEntry(file, entry)
  if (!PLACE_KEYS.includes(key)) return undefined
  const text = value && (await file.text(value, Infinity))
  const written = key === 'location' ? paths.get(text ?? '') : text
  if (written === undefined) throw file.invalid('it changed while it was read')
  return [...framed(ENTRY.key, [Buffer.from(key)]), ...framed(ENTRY.value, [Buffer.from(written)])]
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
