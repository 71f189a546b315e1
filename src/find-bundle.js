/** Whether what `npm run build` made is of the sources as they are now. Read before all else: it imports nothing large. */
import { readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** Of a bundle's folder: its entry, and the list of what it was made of. */
export const BUNDLE_ENTRY = 'program.js'
export const BUNDLE_SOURCES = 'sources.json'

/**
 * Size of each source, and when it was changed, by its path from the root. Layers of an image keep whole seconds.
 * @typedef {Readonly<Record<string, readonly [bytes: number, changedSeconds: number]>>} Sources
 */

/**
 * The path of the bundle's entry; undefined where there is no bundle, or a source has changed since it was made.
 * @param {string} root
 * @returns {string | undefined}
 */
export function findBundle(root, folder = join(root, 'dist')) {
  try {
    const made = readFileSync(join(folder, BUNDLE_SOURCES), 'utf8')
    return made === JSON.stringify(listSources(root)) ? join(folder, BUNDLE_ENTRY) : undefined
  } catch {
    return undefined
  }
}

/**
 * In the order of their names. Throws where one is gone.
 * @param {string} root
 * @returns {Sources}
 */
export function listSources(root) {
  const modules = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  const paths = modules.filter((path) => path.endsWith('.ts')).map((path) => `src/${path}`)
  const entries = [...paths.sort(), 'package.json'].map((path) => {
    // `join` would take as long again, five hundred times.
    const { size, mtimeMs } = statSync(`${root}/${path}`)
    return /** @type {const} */ ([path, [size, Math.floor(mtimeMs / 1000)]])
  })
  return Object.fromEntries(entries)
}
