/** Adapters for several tasks, as jina-embeddings-v3 has them: in the model's own weights, or, in transformers' form of it, in folders. */
import { join, posix } from 'node:path'
import { z } from 'zod'
import { describeIssue } from '../base/describe-issue.ts'
import { ServerError } from '../errors.ts'
import type { ConfigJson } from './config-json.ts'
import { expectForm } from './json-file.ts'
import { ADAPTER_CONFIG, ADAPTER_WEIGHTS, readPeftAdapter } from './peft-adapter.ts'
import type { AdapterParts } from './peft-spec.ts'
import type { ModelSpec } from './spec.ts'
import { exists } from './weight-files.ts'

const ADAPTER_TENSOR = /\.parametrizations\.weight\.0\.lora_[AB]$/

const TaskName = z.string().min(1).max(256)

const Instructions = z.looseObject({ task_instructions: z.record(TaskName, z.string()).nullish() })

const AdapterSettings = Instructions.extend({ lora_adaptations: z.array(TaskName).min(1).max(1000) })

/** Tasks and their folders beside the weights of jinaai/jina-embeddings-v3-hf. */
const TASK_FOLDERS: Readonly<Record<string, string>> = {
  'retrieval.query': 'retrieval_query',
  'retrieval.passage': 'retrieval_passage',
  separation: 'separation',
  classification: 'classification',
  'text-matching': 'text_matching',
}

/** What these folders hold that is read, by the path from the Transformer's folder. */
export const TASK_ADAPTER_FILES = Object.values(TASK_FOLDERS).flatMap((folder) =>
  [ADAPTER_CONFIG, ADAPTER_WEIGHTS].map((file) => posix.join(folder, file)),
)

export interface Adapters {
  /** Of the tasks, in the order of their adapters. */
  readonly names: readonly string[]
  /** What stands before a text of each task, empty where that is nothing. */
  readonly prompts: Readonly<Record<string, string>>
  /** Of each task what its adapter changes, where that is not in the weights. */
  readonly parts?: readonly AdapterParts[]
}

/** Undefined where the weights have none, whatever config.json says. Throws `model_invalid` where they have and it does not name them. */
export function readAdapters(
  config: ConfigJson,
  tensors: ModelSpec['tensors'],
  model: string,
): Adapters | undefined {
  if (!Object.keys(tensors).some((name) => ADAPTER_TENSOR.test(name))) return undefined
  const parsed = AdapterSettings.safeParse(config)
  if (!parsed.success) {
    const issues = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${describeIssue(issue)}`)
    throw new ServerError(
      'model_invalid',
      `${model}: the weights have adapters, which config.json does not name: ${issues.join('; ')}`,
    )
  }
  const { lora_adaptations: names, task_instructions: instructions } = parsed.data
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined)
    throw new ServerError('model_invalid', `${model}: lora_adaptations in config.json has "${twice}" twice`)
  return { names, prompts: promptsOf(names, instructions) }
}

/**
 * Adapters in folders beside the weights, of those tasks that have one; undefined where none has, or where the model is another.
 * Throws what `readPeftAdapter` throws, and `model_invalid` for instructions that are none.
 */
export async function readTaskFolders(
  folder: string,
  config: ConfigJson,
  model: string,
): Promise<Adapters | undefined> {
  if (config.model_type !== 'jina_embeddings_v3') return undefined
  const names: string[] = []
  const parts: AdapterParts[] = []
  for (const [name, place] of Object.entries(TASK_FOLDERS)) {
    if (!(await exists(join(folder, place, ADAPTER_CONFIG)))) continue
    names.push(name)
    parts.push(await readPeftAdapter(join(folder, place)))
  }
  if (names.length === 0) return undefined
  const { task_instructions: instructions } = expectForm(config, Instructions, `${model}: config.json`)
  return { names, prompts: promptsOf(names, instructions), parts }
}

function promptsOf(
  names: readonly string[],
  instructions: Readonly<Record<string, string>> | null | undefined,
): Adapters['prompts'] {
  return Object.fromEntries(names.map((name) => [name, instructions?.[name] ?? '']))
}
