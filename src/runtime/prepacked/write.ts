/** Keeps a model as ONNX Runtime has it once it is loaded, for the starts that follow. */
import { mkdir, open, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { makeFolder } from '../../base/make-folder.ts'
import { ServerError, messageOf } from '../../errors.ts'
import { buildGraph } from '../../graph/build.ts'
import type { CompiledGraph } from '../../graph/contract.ts'
import { encodeGraph } from '../../graph/encode.ts'
import { createSession } from '../session.ts'
import { runFirst } from '../warm-up.ts'
import { placeWeights } from '../weights.ts'
import { writeFacts } from './facts.ts'
import { FACTS_FILE, MODEL_FILE, WEIGHTS_FILE } from './files.ts'
import { describeProcessor, keyOf } from './key.ts'
import { openPrivate } from './private-folder.ts'
import type { PrepackAsk, PrepackReply } from './protocol.ts'
import { findLack } from './room.ts'
import { folderName, partName, remove, sweepPrepacked } from './sweep.ts'

/**
 * Writes the model to a part of this token's and renames it when it is whole. Where there is no room, where others may write
 * to the folder, or where another process is at it, it says so and writes nothing.
 */
export async function writePrepacked(ask: PrepackAsk): Promise<PrepackReply> {
  const { spec, target, folder } = ask
  try {
    const graph = buildGraph(spec, target)
    const key = await keyOf(graph.graph, target, await describeProcessor())
    if (key === undefined) return { skipped: 'such a model is not kept' }
    await makePrivate(folder)
    const all = await openPrivate(folder)
    if (all === undefined) return { skipped: `${folder} is gone` }
    try {
      const isBusy = await sweepPrepacked(all.path, key)
      if (isBusy) return { skipped: 'another process is writing it' }
      const name = folderName(key)
      const whole = join(all.path, name)
      const present = await describePresent(whole, join(folder, name))
      if (present !== undefined) return { skipped: present }
      const lack = await findLack(spec, all.path)
      if (lack !== undefined) return { skipped: lack }
      return await writePart(join(all.path, partName(key, ask.token)), whole, graph, ask)
    } finally {
      await all.close()
    }
  } catch (error) {
    return { skipped: `${folder}: ${messageOf(error)}` }
  }
}

/** Why what has the name already is left there, whether or not a start can use it. `shownAs`: its path in messages. */
async function describePresent(whole: string, shownAs: string): Promise<string | undefined> {
  try {
    const present = await openPrivate(whole)
    await present?.close()
    return present && 'another process wrote it'
  } catch (error) {
    return `${shownAs}: ${messageOf(error)}`
  }
}

/** Nobody else may write to these. Other users may read them, as they may the hub's cache: root keeps models in an image for all. */
const FOLDER_MODE = 0o755
const FILE_MODE = 0o644

/** Those above it as they come. */
async function makePrivate(folder: string): Promise<void> {
  await makeFolder(dirname(folder))
  await mkdir(folder, { mode: FOLDER_MODE }).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  })
}

async function writePart(
  part: string,
  whole: string,
  graph: CompiledGraph,
  ask: PrepackAsk,
): Promise<PrepackReply> {
  try {
    await mkdir(part, { mode: FOLDER_MODE })
    const output = await writeModel(part, graph, ask)
    // Sums are taken of what nobody else can write to.
    await seal(part)
    const { weightsBytes } = await writeFacts(part, output)
    await seal(part)
    await rename(part, whole)
    return { bytes: weightsBytes }
  } catch (error) {
    await remove(part)
    // Two that began at the same moment: the name is the first one's.
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOTEMPTY' || code === 'EEXIST') return { skipped: 'another process wrote it' }
    throw error
  }
}

/** Resolves to what the session gives that was written. */
async function writeModel(
  folder: string,
  { graph, ...compiled }: CompiledGraph,
  { cacheFolder }: PrepackAsk,
): Promise<Float32Array> {
  const weights = await placeWeights(graph, cacheFolder)
  try {
    const session = await createSession(encodeGraph(weights.graph), {
      device: { kind: 'cpu' },
      threadCount: 1,
      prepacked: { folder, isRead: false },
    })
    try {
      const { rows } = await runFirst({ graph, ...compiled }, session)
      if (!rows.every((number) => Number.isFinite(number)))
        throw new ServerError('non_finite_output', 'its first batch gives numbers that are none')
      return rows
    } finally {
      await session.release()
    }
  } finally {
    await weights.release()
  }
}

/** A machine that fails must not leave a whole name on half a model. ONNX Runtime makes its files as the umask lets it. */
async function seal(folder: string): Promise<void> {
  for (const name of [MODEL_FILE, WEIGHTS_FILE, FACTS_FILE, '']) {
    const file = await open(join(folder, name), 'r').catch(() => undefined)
    try {
      await file?.chmod(name === '' ? FOLDER_MODE : FILE_MODE)
      await file?.sync()
    } finally {
      await file?.close()
    }
  }
}
