/** What each image would hold, with sizes: `check.ts` shows it, tests hold it to its limits. */
import { join } from 'node:path'
import { declaredParts } from './declared-sizes.ts'
import type { SizedFile } from './docker-ignore.ts'
import { listContext, listFiles } from './docker-ignore.ts'
import type { Platform } from './prune-modules.ts'
import { findSuperfluous } from './prune-modules.ts'

export interface Image {
  readonly name: string
  readonly device: 'cpu' | 'cuda'
  readonly platform: Platform
  /** Uncompressed, without models that a build argument adds. */
  readonly limitBytes: number
}

export interface Part {
  readonly what: string
  readonly bytes: number
  /** Where the size comes from. */
  readonly source: string
}

export interface ImageContents {
  readonly image: string
  readonly parts: readonly Part[]
  readonly totalBytes: number
  readonly limitBytes: number
}

const MB = 1_000_000
const AMD64: Platform = { os: 'linux', cpu: 'x64' }
const ARM64: Platform = { os: 'linux', cpu: 'arm64' }

export const IMAGES: readonly Image[] = [
  { name: 'cuda, amd64', device: 'cuda', platform: AMD64, limitBytes: 2000 * MB },
  { name: 'cpu, amd64', device: 'cpu', platform: AMD64, limitBytes: 400 * MB },
  { name: 'cpu, arm64', device: 'cpu', platform: ARM64, limitBytes: 400 * MB },
]

/** What must never leave the machine that builds: keys, history, other models' folders, what tests and benches leave. */
const PRIVATE =
  /(?:^|\/)(?:\.env.*|\.git|\.cache|\.ssh|.*\.(?:log|pem|key)|node_modules|tests|bench|fixtures|results)(?:\/|$)/

/** Paths of the context that no image should have. */
export function findPrivate(files: readonly SizedFile[]): readonly string[] {
  return files.filter(({ path }) => PRIVATE.test(path)).map(({ path }) => path)
}

/** `app` is what `assembleApp` made, not pruned; `root` the checkout. */
export function imageContents({
  image,
  root,
  app,
}: {
  image: Image
  root: string
  app: string
}): ImageContents {
  const context = listContext(root)
  const inModels = ({ path }: SizedFile) => path.startsWith('models/')
  const program = context.filter((file) => !inModels(file))
  const parts = [
    ...declaredParts(image.device, image.platform.cpu),
    measured('production modules, pruned', prunedFiles(join(app, 'node_modules'), image.platform)),
    measured('bundled model', context.filter(inModels)),
    measured('program', program),
    measured('program, bundled', listFiles(join(app, 'dist'))),
  ]
  const totalBytes = sumBytes(parts)
  return { image: image.name, parts, totalBytes, limitBytes: image.limitBytes }
}

function measured(what: string, files: readonly SizedFile[]): Part {
  return { what, bytes: sumBytes(files), source: `${files.length} files, counted` }
}

function prunedFiles(modules: string, platform: Platform): readonly SizedFile[] {
  const gone = new Set(findSuperfluous(modules, platform))
  const isGone = ({ path }: SizedFile) => {
    const parts = path.split('/')
    return parts.some((_, index) => gone.has(parts.slice(0, index + 1).join('/')))
  }
  return listFiles(modules).filter((file) => !isGone(file))
}

function sumBytes(sized: readonly { readonly bytes: number }[]): number {
  return sized.reduce((sum, { bytes }) => sum + bytes, 0)
}

/** A table for each image, in MB of a million bytes. */
export function describeContents(contents: readonly ImageContents[]): string {
  return contents.map(describeImage).join('\n\n')
}

function describeImage({ image, parts, totalBytes, limitBytes }: ImageContents): string {
  const rows = [
    ...parts.map(({ what, bytes, source }) => [what, inMb(bytes), source]),
    [
      'total',
      inMb(totalBytes),
      totalBytes > limitBytes ? `OVER the limit of ${inMb(limitBytes)}` : `of ${inMb(limitBytes)}`,
    ],
  ]
  const width = Math.max(...rows.map(([what = '']) => what.length))
  const lines = rows.map(
    ([what = '', size = '', note = '']) => `  ${what.padEnd(width)}  ${size.padStart(7)}  ${note}`,
  )
  return [`${image}: MB, uncompressed`, ...lines].join('\n')
}

function inMb(bytes: number): string {
  return (bytes / MB).toFixed(1)
}
