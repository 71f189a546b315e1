/** `npm run image:check`: what the images would hold, where none can be built. Exits with 1 over a limit. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { assembleApp } from './assemble-app.ts'
import { listContext } from './docker-ignore.ts'
import type { ImageContents } from './image-contents.ts'
import { IMAGES, describeContents, findPrivate, imageContents } from './image-contents.ts'

const ROOT = join(import.meta.dirname, '../..')
const HELP = `What the images of the Dockerfile would hold, and whether they keep to their limits.
  npm run image:check
  npm run image:check -- --files   the files that the build copies as well
  npm run image:check -- --json    for programs`

/** One sentence for each image that is too large, and for each file that should not be copied. */
export function findFaults(
  contents: readonly ImageContents[],
  secrets: readonly string[],
): readonly string[] {
  const tooLarge = contents.filter(({ totalBytes, limitBytes }) => totalBytes > limitBytes)
  return [
    ...tooLarge.map(
      ({ image, totalBytes, limitBytes }) =>
        `the image "${image}" would have ${totalBytes} bytes; ${limitBytes} are allowed`,
    ),
    ...secrets.map((path) => `${path} would be copied into the image; .dockerignore must leave it out`),
  ]
}

async function measureImages(): Promise<readonly ImageContents[]> {
  const app = mkdtempSync(join(tmpdir(), 'image-check-'))
  try {
    await assembleApp(ROOT, app)
    return IMAGES.map((image) => imageContents({ image, root: ROOT, app }))
  } finally {
    rmSync(app, { recursive: true })
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { json: { type: 'boolean' }, files: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
  })
  if (values.help) {
    console.log(HELP)
    return 0
  }
  const files = listContext(ROOT)
  const images = await measureImages()
  const faults = findFaults(images, findPrivate(files))
  if (values.json) {
    console.log(JSON.stringify({ images, ...(values.files && { files }), faults }, null, 2))
  } else {
    if (values.files) console.log(`${files.map(({ path, bytes }) => `${bytes}\t${path}`).join('\n')}\n`)
    console.log(describeContents(images))
    for (const fault of faults) console.error(fault)
  }
  return faults.length === 0 ? 0 : 1
}

if (import.meta.main) {
  try {
    process.exitCode = await main()
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  }
}
