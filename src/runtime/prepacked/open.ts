/** A model as an earlier start kept it: optimized, its weights packed, in a file that all processes map. */
import { stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { ServerError, messageOf } from '../../errors.ts'
import type { CompiledGraph } from '../../graph/contract.ts'
import type { LoadAsk } from '../protocol.ts'
import type { Session, createSession } from '../session.ts'
import { runFirst } from '../warm-up.ts'
import { expectSameWeights, isSameOutput, readFacts } from './facts.ts'
import { FACTS_FILE } from './files.ts'
import type { PrepackedKey } from './key.ts'
import { describeProcessor, keyOf } from './key.ts'
import type { PrivateFolder } from './private-folder.ts'
import { openPrivate } from './private-folder.ts'
import { sumBeside } from './sum-thread.ts'
import { folderName, remove, sweepPrepacked } from './sweep.ts'

/** `ignored`: why what is there is not taken. */
export type FoundPrepacked =
  | { readonly session: Session; readonly ignored?: undefined }
  | { readonly session: undefined; readonly ignored?: string | undefined }

/**
 * A session that was run once, where one is kept; undefined of a model that is never kept. What is damaged is removed; nothing is
 * thrown, since a model can be loaded without.
 */
export async function openPrepacked(
  graph: CompiledGraph,
  ask: LoadAsk & { readonly prepackedFolder: string },
  openModel: typeof createSession,
): Promise<FoundPrepacked | undefined> {
  const { prepackedFolder: folder } = ask
  try {
    const key = await keyOf(graph.graph, ask.target, await describeProcessor())
    if (key === undefined) return undefined
    const all = await openPrivate(folder)
    if (all === undefined) return { session: undefined }
    try {
      return await openIn(all, key, { graph, ask, openModel })
    } finally {
      await all.close()
    }
  } catch (error) {
    return { session: undefined, ignored: `${folder}: ${messageOf(error)}` }
  }
}

interface Opening {
  readonly graph: CompiledGraph
  readonly ask: LoadAsk & { readonly prepackedFolder: string }
  readonly openModel: typeof createSession
}

async function openIn(all: PrivateFolder, key: PrepackedKey, opening: Opening): Promise<FoundPrepacked> {
  const name = folderName(key)
  const path = join(all.path, name)
  let own: PrivateFolder | undefined
  try {
    own = await openPrivate(path)
  } catch (error) {
    // Not removed: others may change what is in it meanwhile.
    return { session: undefined, ignored: `${join(opening.ask.prepackedFolder, name)}: ${messageOf(error)}` }
  }
  if (own === undefined) return { session: undefined }
  try {
    const session = await openSession(own.path, opening)
    await markUse(own.path)
    // What is kept is written no more, so that nobody else would remove what came before it.
    await sweepPrepacked(all.path, key)
    return { session }
  } catch (error) {
    // A lack of memory says nothing of what lies there.
    if (!(error instanceof ServerError && error.code === 'out_of_memory')) await remove(path)
    return { session: undefined, ignored: `${name}: ${messageOf(error)}` }
  } finally {
    await own.close()
  }
}

/** Nothing is served before the weights were read through, and the first batch came to what it should. */
async function openSession(folder: string, opening: Opening): Promise<Session> {
  const { model, facts } = await readFacts(folder)
  const summing = sumBeside(folder)
  const trying = tryModel(model, folder, opening)
  trying.catch(() => {})
  try {
    expectSameWeights(await summing, facts)
  } catch (error) {
    const tried = await trying.catch(() => undefined)
    await tried?.session.release()
    throw error
  }
  const { session, rows } = await trying
  if (isSameOutput(rows, facts)) return session
  await session.release()
  throw new Error('the model gives other numbers than when it was written')
}

/** What its first batch comes to. */
async function tryModel(
  model: Uint8Array<ArrayBuffer>,
  folder: string,
  { graph, ask: { device, threadCount, spins }, openModel }: Opening,
): Promise<{ readonly session: Session; readonly rows: Float32Array }> {
  const session = await openModel(model, { device, threadCount, spins, prepacked: { folder, isRead: true } })
  try {
    const { rows } = await runFirst(graph, session)
    return { session, rows }
  } catch (error) {
    await session.release()
    throw error
  }
}

/** For whoever sweeps. On a volume that is read only nobody does. */
async function markUse(folder: string): Promise<void> {
  const path = join(folder, FACTS_FILE)
  try {
    const { mtime } = await stat(path)
    await utimes(path, new Date(), mtime)
  } catch {
    // It is kept for less long then.
  }
}
