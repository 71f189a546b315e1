/** `npm run setup:cuda`: brings ONNX Runtime's CUDA provider, which npm's package leaves out for its size. docs/gpu.md */
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { findLibraries, suggestFolders } from '../src/devices/find-libraries.ts'
import { howToGet } from '../src/devices/find-problems.ts'
import type { Machine } from '../src/devices/machine.ts'
import { THIS_MACHINE } from '../src/devices/machine.ts'
import { CUDA_PROVIDER, isOfVersion, missingProviderFiles } from '../src/devices/provider-files.ts'
import { messageOf } from '../src/errors.ts'
import { fetchWheel } from './cuda/fetch-wheel.ts'
import type { Installation } from './cuda/install-provider.ts'
import { installByScript, installFromWheel, withStaging } from './cuda/install-provider.ts'

export interface SetupOptions {
  readonly args: readonly string[]
  readonly machine?: Machine
  readonly print: (line: string) => void
}

const HELP = `npm run setup:cuda -- [flags]: installs ONNX Runtime's CUDA provider for linux/x64

  --into DIR    put the files there instead of beside ONNX Runtime's library
  --index URL   read this Python package index; UV_DEFAULT_INDEX, UV_INDEX_URL and PIP_INDEX_URL name one too
  --wheel FILE  take the files from a wheel of onnxruntime-gpu that is here already
  --force       install even where a fitting provider is in place
  --dry-run     say what would be done, change nothing
  --help        print this text

Without --index and --wheel, onnxruntime-node's own install script is run first, which asks NuGet. Where that fails, the
files come from the wheel onnxruntime-gpu of the same version: from the index named, else by pip.`

const FLAGS = {
  into: { type: 'string' },
  index: { type: 'string' },
  wheel: { type: 'string' },
  force: { type: 'boolean' },
  'dry-run': { type: 'boolean' },
  help: { type: 'boolean' },
} as const

/** Throws an `Error` that says what is wrong with the flags or the platform, or why no provider could be had. */
export async function setUpCuda({ args, machine = THIS_MACHINE, print }: SetupOptions): Promise<void> {
  const { values: flags } = parseArgs({ args: [...args], options: FLAGS })
  if (flags.help === true) return print(HELP)
  if (machine.platform !== 'linux/x64') {
    throw new Error(
      `the CUDA provider of onnxruntime-node is for linux/x64 only, and this is ${machine.platform}`,
    )
  }
  const onnxFolder = machine.onnxFolder()
  const into = resolve(flags.into ?? onnxFolder)
  const version = machine.onnxVersion()
  const { wheel } = flags
  const index = flags.index ?? readIndex(machine)
  if (flags['dry-run'] === true) {
    const source = wheel ?? (flags.index === undefined ? `NuGet, else ${nameOf(index)}` : nameOf(index))
    const state = isInstalled(into, version) ? 'it is there already' : 'it is not there yet'
    print(`would install the CUDA provider of ONNX Runtime ${version} into ${into} from ${source}; ${state}`)
  } else if (flags.force !== true && isInstalled(into, version)) {
    print(`the CUDA provider of ONNX Runtime ${version} is in ${into} already; --force installs it anew`)
  } else {
    const packageFolder = resolve(onnxFolder, '../../../..')
    const installation = { packageFolder, onnxFolder, version, into, print }
    await install(installation, { wheel, index, mayAskNuget: flags.index === undefined })
    print(`the CUDA provider of ONNX Runtime ${version} is in ${into}`)
  }
  reportLibraries(into, machine, print)
}

function readIndex({ env }: Machine): string | undefined {
  return env['UV_DEFAULT_INDEX'] || env['UV_INDEX_URL'] || env['PIP_INDEX_URL'] || undefined
}

/** A name and a key before the host are left out. */
function nameOf(index: string | undefined): string {
  return index === undefined ? 'pip' : index.replace(/\/\/[^/]*@/, '//')
}

function isInstalled(folder: string, version: string): boolean {
  if (missingProviderFiles(folder).length > 0) return false
  try {
    return isOfVersion(join(folder, CUDA_PROVIDER), version) === true
  } catch {
    return false
  }
}

interface Sources {
  readonly wheel: string | undefined
  readonly index: string | undefined
  readonly mayAskNuget: boolean
}

async function install(installation: Installation, { wheel, index, mayAskNuget }: Sources): Promise<void> {
  if (wheel !== undefined) return installFromWheel(wheel, installation)
  const { into, version, print } = installation
  if (mayAskNuget) {
    try {
      return await installByScript(installation)
    } catch (error) {
      print(`onnxruntime-node's install script failed: ${messageOf(error)}`)
    }
  }
  await withStaging(into, async (folder) => {
    const fetched = await fetchWheel({ version, folder, index, print })
    await installFromWheel(fetched, installation)
  })
}

function reportLibraries(folder: string, machine: Machine, print: (line: string) => void): void {
  const path = join(folder, CUDA_PROVIDER)
  if (missingProviderFiles(folder).includes(CUDA_PROVIDER)) return
  const { missing } = findLibraries(path, machine)
  if (missing.length === 0) return print('all that it needs is found')
  const names = missing.map(({ name }) => name)
  print(`still missing: ${names.join(', ')}`)
  print(`to get them: ${howToGet(names, suggestFolders(missing, machine))}`)
}

if (import.meta.main) {
  try {
    await setUpCuda({ args: process.argv.slice(2), print: (line) => console.log(line) })
  } catch (error) {
    console.error(messageOf(error))
    process.exitCode = 1
  }
}
