/** ONNX Runtime's CUDA provider: two files that onnxruntime-node lacks, beside its library, where alone they are looked for. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { readElf, readSpan } from './elf.ts'

export const CUDA_PROVIDER = 'libonnxruntime_providers_cuda.so'
export const PROVIDER_FILES = [CUDA_PROVIDER, 'libonnxruntime_providers_shared.so'] as const

const COMMIT_MARK = Buffer.from('git-commit-id=')
const COMMIT_LENGTH = 40

export function missingProviderFiles(folder: string): string[] {
  return PROVIDER_FILES.filter((name) => !existsSync(join(folder, name)))
}

/**
 * Whether a provider is of this version of ONNX Runtime; undefined where it cannot be told. Throws what `readElf` throws. Library and provider speak an
 * unversioned interface: others would crash. A provider names no commit, but its version stands among its constants.
 */
export function isOfVersion(path: string, version: string): boolean | undefined {
  return readConstants(path)?.includes(`\0${version}\0`, 0, 'latin1')
}

/** The commit that ONNX Runtime's library was built from, abbreviated as the library has it; undefined where it names none. */
export function commitOf(path: string): string | undefined {
  const constants = readConstants(path)
  const at = constants?.indexOf(COMMIT_MARK) ?? -1
  if (constants === undefined || at < 0) return undefined
  const start = at + COMMIT_MARK.length
  return /^[0-9a-f]+/.exec(constants.toString('latin1', start, start + COMMIT_LENGTH))?.[0]
}

/** A tenth of the CUDA provider; the rest is machine code. */
function readConstants(path: string): Buffer | undefined {
  const { constants } = readElf(path)
  return constants === undefined ? undefined : readSpan(path, constants)
}
