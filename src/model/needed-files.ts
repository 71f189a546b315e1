/** Which files of a repository `openFolder` reads; nothing else is fetched. */
import { posix } from 'node:path'
import { TASK_ADAPTER_FILES } from './adapters.ts'
import { TEMPLATE_FILE } from './chat-template.ts'
import { dataPaths } from './export-names.ts'
import { LEXICAL_FILE } from './lexical-head.ts'
import { METADATA_FILE } from './stanford-colbert.ts'
import { TOKEN_HEAD_FILE } from './token-head.ts'
import type { ModuleFolder } from './modules-json.ts'
import { moduleFolder, moduleFolders } from './modules-json.ts'
import { PROCESSOR_FILES } from './read-processor.ts'
import { ROUTER_FILES, routerModules } from './router-json.ts'
import { TRANSFORMER_CONFIGS } from './tokenizer-files.ts'
import { OTHER_VOCABULARIES, TOKEN_FILES, VOCABULARY_FILES } from './tokenizer-parts.ts'
import { ADAPTER, weightNames } from './weight-files.ts'

/** Files by their path in the repository, `/` between folders. */
export interface RepositoryView {
  /** Called what errors should call it. */
  readonly model: string
  readonly has: (path: string) => Promise<boolean>
  /** The text of a file that is there; undefined for one that is still to be fetched. */
  readonly read: (path: string) => Promise<string | undefined>
  /** Where exported models may lie in the Transformer's folder, the first that is there is taken; only without weights. */
  readonly exports: readonly string[]
}

export interface NeededFiles {
  /** Needed files, whether the repository has them or not, and those of the optional ones that it has. */
  readonly files: readonly string[]
  /** Those of them that must be read before all the others are known. */
  readonly unread: readonly string[]
}

const MODULES = 'modules.json'
const SETTINGS = 'config_sentence_transformers.json'

/** Throws `model_invalid` for a modules.json or a weight index that cannot be understood. */
export async function neededFiles(repository: RepositoryView): Promise<NeededFiles> {
  if (!(await repository.has(MODULES))) return inTransformer('', repository, [SETTINGS, METADATA_FILE])
  const text = await repository.read(MODULES)
  if (text === undefined) return { files: [MODULES], unread: [MODULES] }
  const parts: NeededFiles[] = [
    await optional(repository, [MODULES, SETTINGS, LEXICAL_FILE, TOKEN_HEAD_FILE]),
  ]
  for (const module of moduleFolders(text, `${repository.model}/${MODULES}`)) {
    parts.push(await inModule(module, repository))
  }
  return join(parts)
}

async function inModule({ path, kind }: ModuleFolder, repository: RepositoryView): Promise<NeededFiles> {
  const config = posix.join(path, 'config.json')
  switch (kind) {
    case 'transformer':
      return inTransformer(path, repository, TRANSFORMER_CONFIGS)
    case 'static':
      return join([of(posix.join(path, 'tokenizer.json')), await weights(path, repository)])
    case 'router':
      return inRouter(path, repository)
    case 'config':
      return of(config)
    case 'config-and-weights':
      return join([of(config), await weights(path, repository)])
    case 'optional-config':
      return optional(repository, [config])
    case 'nothing':
      return of()
    default:
      return kind satisfies never
  }
}

async function inRouter(folder: string, repository: RepositoryView): Promise<NeededFiles> {
  const candidates = ROUTER_FILES.map((file) => posix.join(folder, file))
  const { files } = await optional(repository, candidates)
  const [file = posix.join(folder, ROUTER_FILES[0])] = files
  const text = await repository.read(file)
  if (text === undefined) return { files: [file], unread: [file] }
  const parts = [of(file)]
  for (const { path, type } of routerModules(text, `${repository.model}/${file}`)) {
    parts.push(await inModule(moduleFolder({ path: posix.join(folder, path), type }), repository))
  }
  return join(parts)
}

/** `moduleConfigs`: what may say more about it. */
async function inTransformer(
  folder: string,
  repository: RepositoryView,
  moduleConfigs: readonly string[],
): Promise<NeededFiles> {
  const adapter = posix.join(folder, ADAPTER)
  // Another model's name is all that there is to be read of it, and config.json need not be there.
  if ((await repository.has(adapter)) && (await repository.read(adapter)) === undefined)
    return { files: [adapter], unread: [adapter] }
  const extras = [
    'tokenizer_config.json',
    TEMPLATE_FILE,
    ...PROCESSOR_FILES,
    ...TASK_ADAPTER_FILES,
    ...moduleConfigs,
  ]
  return join([
    of(posix.join(folder, 'config.json')),
    await tokenizer(folder, repository),
    await optional(
      repository,
      extras.map((file) => posix.join(folder, file)),
    ),
    await body(folder, repository),
  ])
}

/** Weights, or the one exported model that stands for them, and its data. */
async function body(folder: string, repository: RepositoryView): Promise<NeededFiles> {
  const found = await weights(folder, repository)
  const [only = ''] = found.files
  if (await repository.has(only)) return found
  for (const candidate of repository.exports) {
    const path = posix.join(folder, candidate)
    if (await repository.has(path)) return join([of(path), await dataOf(path, repository)])
  }
  return found
}

async function dataOf(path: string, repository: RepositoryView): Promise<NeededFiles> {
  const { single, numbered } = dataPaths(path)
  const files = [...(await optional(repository, single)).files]
  for (let index = 1; await repository.has(`${numbered}${index}`); index++) files.push(`${numbered}${index}`)
  return of(...files)
}

/** A vocabulary and what belongs to it, where there is one and no tokenizer.json. */
async function tokenizer(folder: string, repository: RepositoryView): Promise<NeededFiles> {
  const whole = of(posix.join(folder, 'tokenizer.json'))
  if (await repository.has(posix.join(folder, 'tokenizer.json'))) return whole
  const inFolder = (files: readonly string[]) => files.map((file) => posix.join(folder, file))
  const vocabulary = await optional(repository, inFolder([...VOCABULARY_FILES, ...OTHER_VOCABULARIES]))
  if (vocabulary.files.length === 0) return whole
  return join([vocabulary, await optional(repository, inFolder(TOKEN_FILES))])
}

async function weights(folder: string, repository: RepositoryView): Promise<NeededFiles> {
  const { files, unread } = await weightNames({
    name: posix.join(repository.model, folder),
    has: (file) => repository.has(posix.join(folder, file)),
    read: (file) => repository.read(posix.join(folder, file)),
  })
  return {
    files: files.map((file) => posix.join(folder, file)),
    unread: unread === undefined ? [] : [posix.join(folder, unread)],
  }
}

async function optional(repository: RepositoryView, paths: readonly string[]): Promise<NeededFiles> {
  const there = await Promise.all(paths.map((path) => repository.has(path)))
  return of(...paths.filter((_, i) => there[i]))
}

function of(...files: readonly string[]): NeededFiles {
  return { files, unread: [] }
}

function join(parts: readonly NeededFiles[]): NeededFiles {
  return {
    files: [...new Set(parts.flatMap(({ files }) => files))],
    unread: parts.flatMap(({ unread }) => unread),
  }
}
