/** Which files of a repository `openFolder` reads; nothing else is fetched. */
import { posix } from 'node:path'
import { moduleFolders } from './modules-json.ts'
import { TRANSFORMER_CONFIGS } from './tokenizer-files.ts'
import { WEIGHTS, WEIGHTS_INDEX, shardsOf } from './weight-files.ts'

/** Files by their path in the repository, `/` between folders. */
export interface RepositoryView {
  /** Called what errors should call it. */
  readonly model: string
  readonly has: (path: string) => Promise<boolean>
  /** The text of a file that is there; undefined for one that is still to be fetched. */
  readonly read: (path: string) => Promise<string | undefined>
}

export interface NeededFiles {
  /** Needed files, whether the repository has them or not, and those of the optional ones that it has. */
  readonly files: readonly string[]
  /** Those of them that must be read before all the others are known. */
  readonly unread: readonly string[]
}

const MODULES = 'modules.json'

/** Throws `model_invalid` for a modules.json or a weight index that cannot be understood. */
export async function neededFiles(repository: RepositoryView): Promise<NeededFiles> {
  if (!(await repository.has(MODULES))) return inTransformer('', repository, [])
  const text = await repository.read(MODULES)
  if (text === undefined) return { files: [MODULES], unread: [MODULES] }
  const parts: NeededFiles[] = [await optional(repository, [MODULES, 'config_sentence_transformers.json'])]
  for (const { path, kind } of moduleFolders(text, `${repository.model}/${MODULES}`)) {
    if (kind === 'transformer') parts.push(await inTransformer(path, repository, TRANSFORMER_CONFIGS))
    else if (kind !== 'nothing') parts.push(of(posix.join(path, 'config.json')))
    if (kind === 'config-and-weights') parts.push(await weights(path, repository))
  }
  return join(parts)
}

/** `moduleConfigs`: files that only a folder with modules.json may have. */
async function inTransformer(
  folder: string,
  repository: RepositoryView,
  moduleConfigs: readonly string[],
): Promise<NeededFiles> {
  const extras = ['tokenizer_config.json', ...moduleConfigs]
  return join([
    of(posix.join(folder, 'config.json'), posix.join(folder, 'tokenizer.json')),
    await optional(
      repository,
      extras.map((file) => posix.join(folder, file)),
    ),
    await weights(folder, repository),
  ])
}

async function weights(folder: string, repository: RepositoryView): Promise<NeededFiles> {
  const single = posix.join(folder, WEIGHTS)
  const index = posix.join(folder, WEIGHTS_INDEX)
  if ((await repository.has(single)) || !(await repository.has(index))) return of(single)
  const text = await repository.read(index)
  if (text === undefined) return { files: [index], unread: [index] }
  const shards = shardsOf(text, `${repository.model}/${index}`)
  return of(index, ...shards.map((shard) => posix.join(folder, shard)))
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
