/** The chat template beside a tokenizer, and how sentence-transformers would have it filled in. */
import { join } from 'node:path'
import { z } from 'zod'
import { ServerError } from '../errors.ts'
import { readJson, readText } from './json-file.ts'
import type { ChatPrompt } from './spec.ts'
import { TRANSFORMER_CONFIGS } from './tokenizer-files.ts'

export const TEMPLATE_FILE = 'chat_template.jinja'
const TOKENIZER_CONFIG = 'tokenizer_config.json'

const Token = z.union([z.string(), z.looseObject({ content: z.string() })])

const TokenizerConfig = z.looseObject({
  chat_template: z
    .union([z.string(), z.array(z.looseObject({ name: z.string(), template: z.string() }))])
    .nullish(),
})

const MessageFormat = z.enum(['auto', 'structured', 'flat'])

const TransformerConfig = z.looseObject({
  modality_config: z
    .record(z.string(), z.looseObject({ format: MessageFormat.nullish().catch(undefined) }))
    .nullish(),
  processing_kwargs: z.looseObject({ chat_template: z.record(z.string(), z.unknown()).nullish() }).nullish(),
})

/** Settings of a template that change more than what it is filled in with. */
const OTHER_SETTINGS = ['chat_template', 'max_length', 'restore_suffix', 'truncation']

export interface ChatTemplate {
  /** What is rendered, but for the messages. */
  readonly prompt: ChatPrompt
  /** Whether the folder's Transformer module reads messages; undefined where it does not say. */
  readonly readsMessages: boolean | undefined
  /** Whether it speaks of a query and of a document. */
  readonly namesRoles: boolean
}

/**
 * Undefined where there is none. `useModuleConfig`: the folder is a module of sentence-transformers. Throws `model_unsupported`
 * for settings that we lack, naming them.
 */
export async function readChatTemplate(
  folder: string,
  { model, useModuleConfig }: { readonly model: string; readonly useModuleConfig: boolean },
): Promise<ChatTemplate | undefined> {
  const tokenizer = (await readJson(join(folder, TOKENIZER_CONFIG), TokenizerConfig)) ?? {}
  const { chat_template: own } = tokenizer
  const listed = Array.isArray(own) ? own.find(({ name }) => name === 'default')?.template : own
  const alone = await readText(join(folder, TEMPLATE_FILE))
  const template = alone ?? listed ?? undefined
  if (template === undefined) return undefined
  const module = useModuleConfig ? await readTransformerConfig(folder) : undefined
  const settings = module?.processing_kwargs?.chat_template ?? {}
  expectPlain(settings, model)
  const modalities = module && (module.modality_config ?? {})
  const format = modalities?.['message']?.format ?? 'auto'
  return {
    prompt: {
      kind: 'chat',
      template,
      file: `${model}/${alone === undefined ? TOKENIZER_CONFIG : TEMPLATE_FILE}`,
      variables: { add_generation_prompt: false, ...namedTokens(tokenizer), ...settings },
      contents: format === 'auto' ? contentsOf(template) : format,
      instruction: undefined,
    },
    readsMessages: modalities && Object.hasOwn(modalities, 'message'),
    namesRoles: /['"]query['"]/.test(template) && /['"]document['"]/.test(template),
  }
}

async function readTransformerConfig(folder: string): Promise<z.infer<typeof TransformerConfig>> {
  for (const name of TRANSFORMER_CONFIGS) {
    const config = await readJson(join(folder, name), TransformerConfig)
    if (config !== undefined) return config
  }
  return {}
}

function expectPlain(settings: Readonly<Record<string, unknown>>, model: string): void {
  const other = OTHER_SETTINGS.find((name) => (settings[name] ?? undefined) !== undefined)
  if (other === undefined) return
  throw new ServerError(
    'model_unsupported',
    `${model}: processing_kwargs.chat_template sets ${other} to ${JSON.stringify(settings[other])}, which is not supported`,
  )
}

/** `bos_token` and the like, by which templates call a tokenizer's special tokens. */
function namedTokens(config: Readonly<Record<string, unknown>>): Record<string, string> {
  const tokens = Object.entries(config).flatMap(([key, value]) => {
    const token = key.endsWith('_token') ? Token.safeParse(value).data : undefined
    return token === undefined ? [] : [[key, typeof token === 'string' ? token : token.content] as const]
  })
  return Object.fromEntries(tokens)
}

/** Signs that a template looks into a message's content (sentence-transformers 6.2, InputFormatter). */
const STRUCTURED_SIGNS = ['content[0]', '.type', "'type'", '"type"', 'message.content[']

function contentsOf(template: string): ChatPrompt['contents'] {
  return STRUCTURED_SIGNS.some((sign) => template.includes(sign)) ? 'structured' : 'flat'
}
