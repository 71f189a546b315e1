/** The lines of modules that texts go through: one, or with a Router one for each kind of text. */
import { basename, join, normalize, posix, sep } from 'node:path'
import { ServerError } from '../errors.ts'
import { className } from './pipeline-modules.ts'
import type { RouterModule } from './router-json.ts'
import { readRouter } from './router-json.ts'

export const ROUTERS: ReadonlySet<string> = new Set(['Router', 'Asym'])

/** The modules that texts of some kinds go through. */
export interface PipelineLine {
  readonly tasks: readonly string[]
  readonly modules: readonly PipelineModule[]
}

export interface PipelineModule extends RouterModule {
  readonly folder: string
  /** What errors call it. */
  readonly where: string
}

/** Each line once; the first is that of texts whose kind is unsaid. Throws as `readRouter` does. */
export async function readLines(
  modules: readonly RouterModule[],
  folder: string,
  model: string,
): Promise<readonly PipelineLine[]> {
  const { fallback, routes } = await expandRouter(modules, folder, model)
  const joined = new Map<string, { readonly tasks: string[]; readonly modules: readonly PipelineModule[] }>()
  const place = (line: readonly RouterModule[]) =>
    line.map(({ path, type }) => ({
      path,
      type,
      folder: inside(folder, path, model),
      where: `${model}/${path}`,
    }))
  const keyOf = (line: readonly RouterModule[]) => line.map(({ path }) => path).join('\n')
  joined.set(keyOf(fallback), { tasks: [], modules: place(fallback) })
  for (const { task, modules: line } of routes) {
    const known = joined.get(keyOf(line))
    if (known === undefined) joined.set(keyOf(line), { tasks: [task], modules: place(line) })
    else known.tasks.push(task)
  }
  return [...joined.values()]
}

interface Lines {
  readonly fallback: readonly RouterModule[]
  readonly routes: readonly { readonly task: string; readonly modules: readonly RouterModule[] }[]
}

/** The modules that a text goes through, for each kind of text. In the order of the file, whatever `idx` says. */
async function expandRouter(modules: readonly RouterModule[], folder: string, model: string): Promise<Lines> {
  const places = modules.flatMap(({ type }, index) => (ROUTERS.has(className(type)) ? [index] : []))
  const [place] = places
  const found = place === undefined ? undefined : modules[place]
  if (place === undefined || found === undefined) return { fallback: modules, routes: [] }
  if (places.length > 1)
    throw new ServerError(
      'model_unsupported',
      `${model}: there are ${places.length} routers; one is supported`,
    )
  const router = await readRouter(inside(folder, found.path, model), `${model}/${found.path}`)
  const wholeLine = (inner: readonly RouterModule[]) => [
    ...modules.slice(0, place),
    ...inner.map(({ path, type }) => ({ path: posix.join(found.path, path), type })),
    ...modules.slice(place + 1),
  ]
  return {
    fallback: wholeLine(router.fallback),
    routes: router.routes.map(({ task, modules: inner }) => ({ task, modules: wholeLine(inner) })),
  }
}

/** A module's folder; one outside the model's folder is refused. */
export function inside(folder: string, path: string, model: string): string {
  const full = normalize(join(folder, path))
  if (full !== normalize(folder) && !full.startsWith(normalize(folder + sep))) {
    throw new ServerError(
      'model_invalid',
      `${model}: modules.json names ${basename(path)} outside the model's folder`,
    )
  }
  return full
}
