import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { basename, dirname, sep } from 'node:path'
import { ServerError, messageOf } from '../../errors.ts'

/** File names have 255 bytes at most. */
const MAX_NAME_LENGTH = 120

/**
 * What names the model that this file belongs to, whatever became of its files. Of the hub's it is the repository, in all its
 * revisions; of others the folder, by its path too.
 */
export function ownerOfFile(file: string): string {
  const steps = file.split(sep)
  const repository = steps.findLastIndex((step) => step.startsWith('models--'))
  const folder = repository < 0 ? dirname(file) : steps.slice(0, repository + 1).join(sep)
  const name = basename(folder)
    .replaceAll(/[^\w.-]+/g, '_')
    .slice(0, MAX_NAME_LENGTH)
  return `${name}-${createHash('sha256').update(folder).digest('hex').slice(0, 8)}`
}

/** What changes where a file is another one. Throws `load_failed` where it cannot be read. */
export async function identityOf(file: string): Promise<readonly string[]> {
  try {
    const { size, mtimeNs } = await stat(file, { bigint: true })
    return [file, String(size), String(mtimeNs)]
  } catch (error) {
    throw new ServerError('load_failed', `${file} cannot be read: ${messageOf(error)}`, { cause: error })
  }
}
