/** Which of a Transformer's outputs the modules behind it read: newer folders name it, and another one is another model. */
import { join } from 'node:path'
import { z } from 'zod'
import { ServerError } from '../errors.ts'
import { readJson } from './json-file.ts'

const OutputConfig = z.looseObject({
  transformer_task: z.string().nullish(),
  module_output_name: z.string().nullish(),
  modality_config: z
    .looseObject({
      text: z
        .looseObject({ method_output_name: z.union([z.string(), z.array(z.unknown())]).nullish() })
        .nullish(),
    })
    .nullish(),
})

const OUTPUTS = {
  hidden: { task: 'feature-extraction', output: 'last_hidden_state' },
  logits: { task: 'fill-mask', output: 'logits' },
} as const

/** Throws `model_unsupported` where the folder names another task or output than its modules call for. */
export async function expectOutput(
  folder: string,
  wanted: keyof typeof OUTPUTS,
  model: string,
): Promise<void> {
  const config = await readJson(join(folder, 'sentence_bert_config.json'), OutputConfig)
  if (config === undefined) return
  const { task, output } = OUTPUTS[wanted]
  const named = config.modality_config?.text?.method_output_name
  const found = {
    transformer_task: [config.transformer_task ?? task, task],
    method_output_name: [named === undefined || named === null ? output : [named].flat().join('.'), output],
    module_output_name: [config.module_output_name ?? 'token_embeddings', 'token_embeddings'],
  }
  for (const [key, [is, needed]] of Object.entries(found)) {
    if (is === needed) continue
    throw new ServerError(
      'model_unsupported',
      `${model}: sentence_bert_config.json has ${key} ${is}; its modules are supported with ${needed} only`,
    )
  }
}
