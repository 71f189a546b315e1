/** Adapters for several tasks that stand in a model's own weights, as jina-embeddings-v3 has them. */
import { z } from 'zod'
import { describeIssue } from '../base/describe-issue.ts'
import { ServerError } from '../errors.ts'
import type { ConfigJson } from './config-json.ts'
import type { ModelSpec } from './spec.ts'

const ADAPTER_TENSOR = /\.parametrizations\.weight\.0\.lora_[AB]$/

const TaskName = z.string().min(1).max(256)

const AdapterSettings = z.looseObject({
  lora_adaptations: z.array(TaskName).min(1).max(1000),
  task_instructions: z.record(TaskName, z.string()).nullish(),
})

export interface Adapters {
  /** Of the tasks, in the order of their adapters. */
  readonly names: readonly string[]
  /** What stands before a text of each task, empty where that is nothing. */
  readonly prompts: Readonly<Record<string, string>>
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
  const prompts = Object.fromEntries(names.map((name) => [name, instructions?.[name] ?? '']))
  return { names, prompts }
}
