/** A Python program that is asked by lines of JSON and answers each with one; its first says its versions. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { CACHE } from '../flags.ts'
import { startGroup } from '../servers/process-group.ts'

export const PYTHON = join(CACHE, 'sentence-transformers/bin/python')

export interface PythonPeer {
  /** Its packages and their versions. */
  readonly title: string
  readonly ask: (question: object) => Promise<Record<string, unknown>>
  readonly stop: () => Promise<void>
}

/** Undefined where there is no environment for it. `script`: beside this file. */
export async function openPython(
  script: string,
  args: readonly string[] = [],
): Promise<PythonPeer | undefined> {
  if (!existsSync(PYTHON)) return undefined
  const file = fileURLToPath(new URL(script, import.meta.url))
  const command = { program: PYTHON, args: [file, ...args], env: { HF_HUB_OFFLINE: '1' } }
  const group = startGroup(command, { interactive: true })
  const { stdin, stdout } = group.child
  if (stdin === null || stdout === null) throw new Error(`${PYTHON} has no input or output`)
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]()
  const read = async () => {
    const { value, done } = await lines.next()
    if (done === true) throw new Error(`${script} ended: ${group.output()}`)
    return JSON.parse(value) as Record<string, unknown>
  }
  const versions = Object.entries(await read()).map(([name, version]) => `${name} ${String(version)}`)
  return {
    title: versions.join(', '),
    ask: (question) => {
      stdin.write(`${JSON.stringify(question)}\n`)
      return read()
    },
    stop: group.stop,
  }
}
