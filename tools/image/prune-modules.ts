/**
 * `node tools/image/prune-modules.ts <node_modules> [linux-x64 | linux-arm64]`: removes what the program never reads on
 * that platform, by default this one. It imports nothing of ours: the Dockerfile runs it before the program is copied.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

export interface Platform {
  readonly os: 'linux'
  readonly cpu: 'x64' | 'arm64'
}

const RUNTIME = 'onnxruntime-node/bin/napi-v6'

/**
 * Paths below a node_modules folder that can go, files and folders. Throws where a native module has no build for the
 * platform: what is left would not start.
 */
export function findSuperfluous(modules: string, { os, cpu }: Platform): readonly string[] {
  const list = (folder: string) => readdirSync(join(modules, folder)).map((name) => `${folder}/${name}`)
  const others = (paths: readonly string[], kept: string) => {
    if (!paths.includes(kept)) throw new Error(`${join(modules, kept)} is missing: no build for ${os} ${cpu}`)
    return paths.filter((path) => path !== kept)
  }
  const bindings = list('tokenizers').filter((path) => path.endsWith('.node'))
  return [
    ...others(list(RUNTIME), `${RUNTIME}/${os}`),
    ...others(list(`${RUNTIME}/${os}`), `${RUNTIME}/${os}/${cpu}`),
    ...others(bindings, `tokenizers/tokenizers.${os}-${cpu}-gnu.node`),
    ...unusedRanks(list),
    // Node runs no TypeScript inside node_modules, and reads source maps only where a flag asks for it.
    ...readdirSync(modules, { recursive: true, encoding: 'utf8' }).filter((path) =>
      /\.(?:[cm]?ts|map)$/.test(path),
    ),
  ]
}

/** Returns how many paths it removed. */
export function pruneModules(modules: string, platform: Platform): number {
  const paths = findSuperfluous(modules, platform)
  for (const path of paths) rmSync(join(modules, path), { recursive: true, force: true })
  return paths.length
}

/** Of js-tiktoken, `js-tiktoken/lite` and the ranks of cl100k_base are imported. */
function unusedRanks(list: (folder: string) => string[]): string[] {
  const bundles = ['js-tiktoken/dist/index.js', 'js-tiktoken/dist/index.cjs']
  const ranks = list('js-tiktoken/dist/ranks').filter((path) => !path.includes('/cl100k_base.'))
  return [...bundles, ...ranks]
}

function readPlatform(name: string): Platform {
  if (name === 'linux-x64' || name === 'linux-arm64') {
    return { os: 'linux', cpu: name === 'linux-x64' ? 'x64' : 'arm64' }
  }
  throw new Error(`there is no image for ${name}: linux-x64 or linux-arm64`)
}

function main([modules, platform = `${process.platform}-${process.arch}`]: readonly string[]): void {
  if (modules === undefined || !existsSync(modules)) {
    throw new Error(`${modules ?? 'no folder given'}: not a node_modules folder`)
  }
  console.log(`removed ${pruneModules(modules, readPlatform(platform))} files and folders`)
}

if (import.meta.main) {
  try {
    main(process.argv.slice(2))
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  }
}
