import { constants } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { open } from 'node:fs/promises'
import { basename } from 'node:path'
import { ServerError } from '../errors.ts'

/**
 * Opens a file of a model folder to be read. A pipe has no end and no beginning until somebody writes to it: it is not waited
 * for. Throws `model_invalid` for what is no regular file, and what the system says of one that cannot be opened.
 */
export async function openFile(path: string): Promise<FileHandle> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  if ((await handle.stat()).isFile()) return handle
  await handle.close()
  throw new ServerError('model_invalid', `${basename(path)} is not a regular file`)
}
