/** sentence-transformers' Router (once Asym): a pipeline for each kind of text, in folders of its own. */
import { join } from 'node:path'
import { z } from 'zod'
import { ServerError } from '../errors.ts'
import { parseJson, readJson } from './json-file.ts'

const Parameters = z.looseObject({
  default_route: z.string().nullish(),
  route_mappings: z.record(z.string(), z.string()).nullish(),
})

const RouterJson = z.looseObject({
  types: z.record(z.string(), z.string()),
  structure: z.record(z.string(), z.array(z.string())),
  parameters: Parameters.nullish(),
})

type RouterJson = z.infer<typeof RouterJson>

/** The first that a folder has. */
export const ROUTER_FILES = ['router_config.json', 'config.json'] as const

export interface RouterModule {
  /** Its folder, relative to the router's; routes that share a module name the same. */
  readonly path: string
  readonly type: string
}

export interface RouterRoute {
  /** What texts of this route are for: `query`, `document`. */
  readonly task: string
  readonly modules: readonly RouterModule[]
}

export interface Router {
  readonly routes: readonly RouterRoute[]
  /** Of texts that are for nothing in particular. */
  readonly fallback: readonly RouterModule[]
}

/** Throws `model_invalid`. */
export async function readRouter(folder: string, where: string): Promise<Router> {
  for (const file of ROUTER_FILES) {
    const router = await readJson(join(folder, file), RouterJson)
    if (router !== undefined) return resolve(router, where)
  }
  throw new ServerError('model_invalid', `${where}: ${ROUTER_FILES[0]} is missing`)
}

/** All modules that a router's file, given as text, speaks of. Throws `model_invalid`. */
export function routerModules(text: string, name: string): readonly RouterModule[] {
  return Object.entries(parseJson(text, RouterJson, name).types).map(([path, type]) => ({ path, type }))
}

function resolve({ types, structure, parameters }: RouterJson, where: string): Router {
  const mappings = Object.entries(parameters?.route_mappings ?? {}).flatMap(([key, route]) => {
    const parsed = TASK_AND_MODALITY.exec(key)
    return parsed === null ? [] : [{ task: parsed[1], modality: parsed[2], route }]
  })
  const names = Object.keys(structure)
  const routeOf = (task: string | undefined): string | undefined => {
    const mapped = (wanted: string | undefined, modality: string | undefined) =>
      mappings.find((entry) => entry.task === wanted && entry.modality === modality)?.route
    const named = [task, 'text'].find((name) => name !== undefined && names.includes(name))
    return (
      mapped(task, 'text') ??
      mapped(task, undefined) ??
      mapped(undefined, 'text') ??
      mapped(undefined, undefined) ??
      named
    )
  }
  const modulesOf = (route: string): RouterModule[] => {
    const paths = Object.hasOwn(structure, route) ? structure[route] : undefined
    if (paths === undefined) throw invalid(`there is no route ${route}; there are ${names.join(', ')}`)
    return paths.map((path) => {
      const type = Object.hasOwn(types, path) ? types[path] : undefined
      if (type === undefined) throw invalid(`route ${route} names ${path}, whose type is unknown`)
      return { path, type }
    })
  }
  const invalid = (what: string) => new ServerError('model_invalid', `${where}: ${what}`)
  const fallback = routeOf(undefined) ?? parameters?.default_route ?? names[0]
  if (fallback === undefined) throw invalid('the router has no route')
  const tasks = new Set([...names, ...mappings.flatMap(({ task }) => task ?? [])])
  return {
    routes: [...tasks].map((task) => ({ task, modules: modulesOf(routeOf(task) ?? fallback) })),
    fallback: modulesOf(fallback),
  }
}

/** A Python pair: `('query', None)`, `(None, 'text')`. Several modalities at once are never text alone. */
const TASK_AND_MODALITY = /^\((?:None|'([^']*)'), ?(?:None|'([^']*)')\)$/
