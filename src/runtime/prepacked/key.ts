/** By what a prepacked model is known: all that its bytes depend on. */
import { createHash } from 'node:crypto'
import { open, stat } from 'node:fs/promises'
import type { Graph } from '../../graph/ir.ts'
import { isInt8Recipe } from '../../graph/int8-recipe.ts'
import type { TargetName } from '../../graph/target.ts'
import { ORT_VERSION } from '../session.ts'
import { ownerOfFile } from '../weights/owner.ts'

/** Counts up when the same graph is kept otherwise. */
const FORMAT = 3

export interface PrepackedKey {
  /** Model, target and kind of processor: of each the newest is kept, so that unlike machines can share a volume. */
  readonly owner: string
  /** Of the graph, the files that its weights lie in, and the version of ONNX Runtime. */
  readonly digest: string
}

/**
 * Undefined of graphs that are not kept: those in 8 bits, whose codes depend on more than files, and those without a weight in
 * a file. Throws what `stat` of a file throws.
 */
export async function keyOf(
  graph: Graph,
  target: TargetName,
  processor: string,
): Promise<PrepackedKey | undefined> {
  if (graph.initializers.some(({ source }) => isInt8Recipe(source))) return undefined
  const { text, files } = describeGraph(graph)
  const [first] = files
  if (first === undefined) return undefined
  const identities = await Promise.all(files.map(identityOf))
  const facts = JSON.stringify({ format: FORMAT, ort: ORT_VERSION, processor, identities, text })
  return {
    owner: `${ownerOfFile(first)}-${target}-${hash(processor).slice(0, 8)}`,
    digest: hash(facts).slice(0, 32),
  }
}

/** All that a graph says, and the files of its tensors, wherever in it they are named. */
function describeGraph(graph: Graph): { readonly text: string; readonly files: readonly string[] } {
  const files = new Set<string>()
  const text = JSON.stringify(graph, (key, value: unknown) => {
    if (key === 'file' && typeof value === 'string') files.add(value)
    // Numbers that the graph carries itself; JSON would write them one by one.
    return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value
  })
  return { text, files: [...files].sort() }
}

/** Layers of an image keep whole seconds only of the time at which a file was written. */
async function identityOf(file: string): Promise<readonly (string | number)[]> {
  const { size, mtimeMs } = await stat(file)
  return [file, size, Math.floor(mtimeMs / 1000)]
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** What tells kinds of processors apart: the instructions that kernels choose by, and the design. Names of one design are many. */
const TELLING =
  /^(vendor_id|cpu family|model|flags|CPU implementer|CPU architecture|CPU variant|CPU part|Features)\s*:/

/** More than any processor says of itself; the next one says the same. */
const PROCESSOR_BYTES = 16_384

/**
 * ONNX Runtime packs for the processor at hand, and takes what is kept only where it comes to the same: another key saves the
 * time of trying. Throws where there is no /proc/cpuinfo.
 */
export async function describeProcessor(): Promise<string> {
  const file = await open('/proc/cpuinfo', 'r')
  try {
    const bytes = Buffer.alloc(PROCESSOR_BYTES)
    let length = 0
    // It is given in pieces, as each processor is asked.
    while (length < bytes.length && !bytes.subarray(0, length).includes('\n\n')) {
      const { bytesRead } = await file.read(bytes, length, bytes.length - length, null)
      if (bytesRead === 0) break
      length += bytesRead
    }
    const [first = ''] = bytes.toString('utf8', 0, length).split('\n\n')
    return first
      .split('\n')
      .filter((line) => TELLING.test(line))
      .join('\n')
  } finally {
    await file.close()
  }
}
