/** What `COPY . .` copies: `.dockerignore` as BuildKit reads it, and the files that it leaves. */
import { readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

export interface SizedFile {
  /** From the folder that was listed, with slashes. */
  readonly path: string
  readonly bytes: number
}

interface IgnoreRule {
  /** Without `!`, and slashes at the ends. */
  readonly text: string
  readonly pattern: RegExp
  /** The line began with `!`: what it matches is copied after all. */
  readonly keeps: boolean
}

/** The rules of a `.dockerignore`. Throws where a line has `[`, which no rule of ours needs. */
export function readIgnoreRules(text: string): readonly IgnoreRule[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const keeps = line.startsWith('!')
      const text = line.slice(keeps ? 1 : 0).replace(/^\/|\/$/g, '')
      return { text, keeps, pattern: toRegExp(text) }
    })
}

/** The last rule that matches the path, or a folder above it, decides. */
export function isCopied(path: string, rules: readonly IgnoreRule[]): boolean {
  const parts = path.split('/')
  const names = parts.map((_, index) => parts.slice(0, index + 1).join('/'))
  const rule = rules.findLast(({ pattern }) => names.some((name) => pattern.test(name)))
  return rule === undefined || rule.keeps
}

/** All that the images get of the checkout at `root`, in order of path. */
export function listContext(root: string): readonly SizedFile[] {
  const rules = readIgnoreRules(readFileSync(join(root, '.dockerignore'), 'utf8'))
  // A checkout has hundreds of thousands of files below node_modules that no rule brings back.
  const enters = (folder: string) =>
    isCopied(folder, rules) || rules.some((rule) => mayKeepBelow(folder, rule))
  return listFiles(root, enters).filter(({ path }) => isCopied(path, rules))
}

function mayKeepBelow(folder: string, { keeps, text }: IgnoreRule): boolean {
  return keeps && (text.startsWith(`${folder}/`) || text.includes('*'))
}

/** Every file below `root`, in order of path; a folder that `enters` refuses, by its path, is passed over. */
export function listFiles(root: string, enters: (folder: string) => boolean = () => true): SizedFile[] {
  const walk = (folder: string): SizedFile[] =>
    readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (entry.isDirectory()) return enters(path) ? walk(path) : []
      return entry.isFile() ? [{ path, bytes: statSync(join(root, path)).size }] : []
    })
  return walk('').sort((a, b) => (a.path < b.path ? -1 : 1))
}

/** `**` stands for any number of folders, `*` and `?` for characters of one name. */
function toRegExp(pattern: string): RegExp {
  if (pattern.includes('['))
    throw new Error(`.dockerignore: ${pattern} has a [, which is not understood here`)
  const source = pattern.replace(/\*\*\/?|\*|\?|[^*?]+/g, (piece) => {
    if (piece === '**/') return '(?:.*/)?'
    if (piece === '**') return '.*'
    if (piece === '*') return '[^/]*'
    return piece === '?' ? '[^/]' : RegExp.escape(piece)
  })
  return new RegExp(`^${source}$`)
}
