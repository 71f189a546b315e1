/** Puts the CUDA provider where ONNX Runtime looks for it: whole, of the right build, or not at all. */
import { cp, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { CUDA_PROVIDER, PROVIDER_FILES, commitOf, isOfVersion } from '../../src/devices/provider-files.ts'
import { extractEntry, listZip } from './read-zip.ts'
import { runProgram } from './run-program.ts'

export interface Installation {
  /** Folder of the package onnxruntime-node. */
  readonly packageFolder: string
  /** Folder of its library, which the provider must fit. */
  readonly onnxFolder: string
  readonly version: string
  /** Where the files are put; the library's own folder unless somebody wants to look at them first. */
  readonly into: string
  readonly print: (line: string) => void
}

const SCRIPT_LIMIT_MS = 3_600_000

/** Calls `work` with a folder beside the files' places, which is gone afterwards. */
export async function withStaging<T>(into: string, work: (folder: string) => Promise<T>): Promise<T> {
  await mkdir(into, { recursive: true })
  const folder = await mkdtemp(join(into, '.setup-cuda-'))
  try {
    return await work(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/**
 * By onnxruntime-node's own install script, run from a copy: the script itself writes its files into place as they come. Throws an
 * `Error` with its last words.
 */
export async function installByScript(installation: Installation): Promise<void> {
  const { packageFolder, into, print } = installation
  await withStaging(into, async (folder) => {
    await cp(join(packageFolder, 'script'), join(folder, 'script'), { recursive: true })
    const modules = [join(packageFolder, 'node_modules'), dirname(packageFolder)].join(':')
    const env = { ...process.env, NODE_PATH: modules, ONNXRUNTIME_NODE_INSTALL: 'true' }
    const script = join(folder, 'script', 'install.js')
    const options = { env, limitMs: SCRIPT_LIMIT_MS, onLine: print }
    const { exitCode, failure, stderr } = await runProgram(process.execPath, [script], options)
    if (exitCode !== 0) throw new Error(failure ?? reasonIn(stderr) ?? `exit code ${exitCode}`)
    await putInPlace(join(folder, 'bin/napi-v6/linux/x64'), installation)
  })
}

/**
 * From a wheel of onnxruntime-gpu. Throws an `Error` where it is of another build than onnxruntime-node's library: the two
 * speak an interface that changes from build to build.
 */
export async function installFromWheel(wheel: string, installation: Installation): Promise<void> {
  const { onnxFolder, into, print } = installation
  const entries = await listZip(wheel)
  await withStaging(into, async (folder) => {
    const extract = async (name: string, isWanted: (file: string) => boolean) => {
      const entry = entries.find((entry) => isWanted(basename(entry.name)))
      if (entry === undefined) throw new Error(`${basename(wheel)} has no ${name}`)
      await extractEntry(wheel, entry, join(folder, name))
      return join(folder, name)
    }
    const library = await extract('libonnxruntime.so', (file) => /^libonnxruntime\.so\.\d/.test(file))
    const ours = commitOf(join(onnxFolder, 'libonnxruntime.so.1'))
    const theirs = commitOf(library)
    if (ours === undefined || ours !== theirs) {
      throw new Error(
        `${basename(wheel)} was built from commit ${theirs}, onnxruntime-node's library from ${ours}`,
      )
    }
    print(`library and wheel were both built from commit ${ours}`)
    for (const name of PROVIDER_FILES) await extract(name, (file) => file === name)
    await putInPlace(folder, installation)
  })
}

/** Each file is renamed into place, so that whoever starts meanwhile finds the old one or the new one. */
async function putInPlace(from: string, { into, version }: Installation): Promise<void> {
  if (isOfVersion(join(from, CUDA_PROVIDER), version) !== true) {
    throw new Error(`the ${CUDA_PROVIDER} that was found is not of ONNX Runtime ${version}`)
  }
  // the one that is looked for first comes last
  for (const name of PROVIDER_FILES.toReversed()) await rename(join(from, name), join(into, name))
}

/** `Error: getaddrinfo ENOTFOUND host` out of what Node prints when a script throws. */
function reasonIn(stderr: string): string | undefined {
  const lines = stderr.split('\n').map((line) => line.trim())
  return lines.find((line) => /^\w*Error\b.*:/.test(line)) ?? lines.findLast((line) => line !== '')
}
