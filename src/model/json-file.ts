import { readFile, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { z } from 'zod'
import { describeIssue } from '../base/describe-issue.ts'
import { ServerError, messageOf } from '../errors.ts'

/** The index of a model of a hundred thousand tensors has a tenth of it. */
const MAX_BYTES = 100_000_000

/** A JSON file of a model folder, checked; undefined where there is none. Throws `model_invalid` naming file and field. */
export async function readJson<S extends z.ZodType>(
  path: string,
  schema: S,
): Promise<z.output<S> | undefined> {
  const text = await readText(path)
  return text === undefined ? undefined : parseJson(text, schema, shortName(path))
}

/** The text of a JSON file that errors call `name`, checked. Throws `model_invalid` naming file and field. */
export function parseJson<S extends z.ZodType>(text: string, schema: S, name: string): z.output<S> {
  let json: unknown
  try {
    // some editors open the file with a byte order mark
    json = JSON.parse(text.replace(/^\uFEFF/, ''))
  } catch (error) {
    throw new ServerError('model_invalid', `${name} is not JSON: ${messageOf(error)}`, { cause: error })
  }
  return expectForm(json, schema, name)
}

/** A part of a JSON file, which errors call `name`. Throws `model_invalid` naming the field. */
export function expectForm<S extends z.ZodType>(json: unknown, schema: S, name: string): z.output<S> {
  const result = schema.safeParse(json)
  if (result.success) return result.data
  const issues = result.error.issues.map(
    (issue) => `${issue.path.join('.') || 'the file'}: ${describeIssue(issue)}`,
  )
  throw new ServerError('model_invalid', `${name}: ${issues.join('; ')}`)
}

/** The text of a file of a model folder; undefined where there is none. Throws `model_invalid` naming the file. */
export async function readText(path: string): Promise<string | undefined> {
  return (await readWhole(path))?.toString('utf8')
}

/** As `readText`, of a file that is no text. */
export async function readWhole(path: string): Promise<Buffer | undefined> {
  try {
    const stats = await stat(path)
    if (!stats.isFile()) throw new Error('it is not a regular file')
    if (stats.size > MAX_BYTES)
      throw new Error(`it has ${stats.size} bytes; at most ${MAX_BYTES} are allowed`)
    return await readFile(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new ServerError('model_invalid', `${shortName(path)} cannot be read: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

/** The file with its folder: enough to find it, without the operator's whole path. */
function shortName(path: string): string {
  return join(basename(dirname(path)), basename(path))
}
