/**
 * `npm run build`: the program and its threads as a few files of plain JavaScript in dist/, packages in JavaScript among them.
 * Reading and stripping some five hundred files of TypeScript is half of a start. `npm ci` runs it.
 */
import { rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import type { Plugin } from 'rolldown'
import { rolldown } from 'rolldown'
import { BUNDLE_SOURCES, listSources } from '../../src/find-bundle.js'

const ROOT = join(import.meta.dirname, '../..')

/** What finds files of its own beside it, a native library for one, stays where it is. */
const UNBUNDLED = [
  /^node:/,
  /^onnxruntime-node/,
  /^tokenizers/,
  /^sharp/,
  /^mpg123-decoder/,
  /^@huggingface\//,
]

/** A file that a thread or a child process begins with. */
const ENTRY_URL = /new URL\('(\.[^']+\.ts)', import\.meta\.url\)/g

/** Writes the bundle of `root` into `folder`, in place of what was there. */
export async function build(root: string = ROOT, folder: string = join(root, 'dist')): Promise<void> {
  // Before anything is read: a source that changes meanwhile shall be one that has changed.
  const sources = listSources(root)
  rmSync(folder, { recursive: true, force: true })
  await using bundle = await rolldown({
    cwd: root,
    input: { program: join(root, 'src/program.ts') },
    platform: 'node',
    external: UNBUNDLED,
    plugins: [keepPlaces(root, folder)],
  })
  await bundle.write({
    dir: folder,
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: 'chunk-[name]-[hash].js',
  })
  writeFileSync(join(folder, BUNDLE_SOURCES), JSON.stringify(sources))
}

/**
 * A module's `import.meta.url` stays that of its source, so that models and settings are found from it; and a file that it
 * names for a thread becomes an entry of the bundle.
 */
function keepPlaces(root: string, folder: string): Plugin {
  return {
    name: 'keep-places',
    transform(code, id) {
      if (!id.endsWith('.ts') || !code.includes('import.meta.url')) return null
      const entries = code.replaceAll(ENTRY_URL, (_, path: string) => {
        const file = resolve(dirname(id), path)
        const name = relative(join(root, 'src'), file).replace(/\.ts$/, '').replaceAll('/', '-')
        this.emitFile({ type: 'chunk', id: file, fileName: `${name}.js` })
        return `new URL('./${name}.js', import.meta.url)`
      })
      const source = JSON.stringify(relative(folder, id))
      return entries.replaceAll(/(?<!\.js', )import\.meta\.url/g, `new URL(${source}, import.meta.url).href`)
    },
  }
}

if (import.meta.main) await build()
