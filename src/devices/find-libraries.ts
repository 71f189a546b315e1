/** Which libraries the dynamic loader would find for a shared library, and which it would miss, without loading any. */
import { globSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { ElfFile } from './elf.ts'
import { readElf } from './elf.ts'
import { readLoaderCache } from './loader-cache.ts'
import type { Machine } from './machine.ts'

export interface FoundLibrary {
  readonly name: string
  readonly path: string
}

export interface MissingLibrary {
  readonly name: string
  /** File name of the library that asks for it. */
  readonly neededBy: string
}

export interface Linkage {
  readonly found: readonly FoundLibrary[]
  readonly missing: readonly MissingLibrary[]
}

/** Searched last; Debian's and Red Hat's, since which of them glibc was built with does not show. */
const DEFAULT_FOLDERS = [
  '/lib/x86_64-linux-gnu',
  '/usr/lib/x86_64-linux-gnu',
  '/lib64',
  '/usr/lib64',
  '/lib',
  '/usr/lib',
]

/** Where installers leave CUDA's libraries without telling the loader; patterns of `glob`. */
const CUDA_FOLDERS = [
  'usr/local/cuda*/lib64',
  'usr/local/cuda*/targets/x86_64-linux/lib',
  'usr/local/nvidia/lib64',
  'usr/lib/wsl/lib',
]
const PIP_FOLDER = 'lib/python3*/{site,dist}-packages/nvidia/*/lib'

interface Asked {
  readonly name: string
  readonly by: Origin
}

interface Origin {
  readonly path: string
  readonly elf: ElfFile
  /** Folders of DT_RPATH, its own and those of the libraries that led to it. */
  readonly rpaths: readonly string[]
}

/** `path` and all that it needs, in the loader's order: each name once, as the loader keeps them. Throws what `readElf` throws. */
export function findLibraries(path: string, machine: Machine): Linkage {
  const search = openSearch(machine)
  const found = new Map<string, string>()
  const missing = new Map<string, string>()
  const asked: Asked[] = []
  const ask = (by: Origin) => asked.push(...by.elf.needed.map((name) => ({ name, by })))
  const elf = readElf(path)
  ask({ path, elf, rpaths: ownRpaths(path, elf) })
  for (let next = asked.shift(); next !== undefined; next = asked.shift()) {
    const { name, by } = next
    if (found.has(name) || missing.has(name)) continue
    const origin = search(name, by)
    if (origin === undefined) {
      missing.set(name, by.path)
    } else {
      found.set(name, origin.path)
      ask(origin)
    }
  }
  return {
    found: [...found].map(([name, path]) => ({ name, path })),
    missing: [...missing].map(([name, path]) => ({ name, neededBy: path.slice(path.lastIndexOf('/') + 1) })),
  }
}

/** Where the loader finds a library that is opened by name, as cuDNN is; undefined where it does not. */
export function findLibrary(name: string, machine: Machine): string | undefined {
  const elf = { soname: undefined, needed: [], runpath: [], rpath: [], constants: undefined }
  return openSearch(machine)(name, { path: '/', elf, rpaths: [] })?.path
}

type Search = (name: string, by: Origin) => Origin | undefined

function openSearch(machine: Machine): Search {
  const { root } = machine
  const cache = readLoaderCache(`${root}/etc/ld.so.cache`)
  const fromEnvironment = splitFolders(machine.startEnv()['LD_LIBRARY_PATH'])
  return (name, by) => {
    const { runpath } = by.elf
    const inFolder = (folder: string) => join(folder, name)
    const candidates = [
      ...(runpath.length === 0 ? by.rpaths.map(inFolder) : []),
      ...fromEnvironment.map((folder) => root + inFolder(folder)),
      ...expandOrigin(runpath, by.path).map(inFolder),
      ...(cache.get(name) ?? []).map((path) => root + path),
      ...DEFAULT_FOLDERS.map((folder) => root + inFolder(folder)),
    ]
    for (const path of candidates) {
      const elf = tryElf(path)
      if (elf !== undefined) return { path, elf, rpaths: [...ownRpaths(path, elf), ...by.rpaths] }
    }
    return undefined
  }
}

function ownRpaths(path: string, { runpath, rpath }: ElfFile): string[] {
  return runpath.length > 0 ? [] : expandOrigin(rpath, path)
}

function expandOrigin(folders: readonly string[], path: string): string[] {
  return folders.map((folder) => folder.replaceAll(/\$(?:ORIGIN|\{ORIGIN\})/g, dirname(path)))
}

/** Colons or semicolons between; an empty entry is the working folder. */
function splitFolders(text: string | undefined): string[] {
  if (text === undefined || text === '') return []
  return text.split(/[:;]/).map((folder) => (folder === '' ? '.' : folder))
}

/** The loader passes over what it cannot use: a file of another processor, for one. */
function tryElf(path: string): ElfFile | undefined {
  try {
    return readElf(path)
  } catch {
    return undefined
  }
}

/** Folders that hold some of the missing libraries, though the loader does not look there: for LD_LIBRARY_PATH. */
export function suggestFolders(missing: readonly MissingLibrary[], machine: Machine): string[] {
  const { root, env } = machine
  const homes = [env['VIRTUAL_ENV'], env['CONDA_PREFIX'], env['HOME'] && `${env['HOME']}/.local`]
  const prefixes = [...homes, '/usr/local', '/usr', '/opt/venv', '/opt/conda']
  const patterns = prefixes.flatMap((prefix) => (prefix ? [join(prefix, PIP_FOLDER).slice(1)] : []))
  const cwd = root === '' ? '/' : root
  const folders = new Set(globSync([...CUDA_FOLDERS, ...patterns], { cwd }).toSorted())
  const wanted = new Set(missing.map(({ name }) => name))
  const chosen: string[] = []
  for (const folder of folders) {
    const held = [...wanted].filter((name) => tryElf(join(cwd, folder, name)) !== undefined)
    if (held.length > 0) chosen.push(`/${folder}`)
    for (const name of held) wanted.delete(name)
  }
  return chosen
}

/** `580.65.6` of a driver's `libcuda.so.580.65.6`; undefined where the file is named otherwise. */
export function driverOfLibrary(path: string): string | undefined {
  try {
    return /\/libcuda\.so\.(\d{3,}(?:\.\d+)+)$/.exec(realpathSync(path))?.[1]
  } catch {
    return undefined
  }
}
