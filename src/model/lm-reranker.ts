/** Which folders hold a model that is asked about a pair of texts, what it is asked, and which token is its yes. */
import { basename } from 'node:path'
import { ServerError } from '../errors.ts'
import { isClassifier, isLanguageModel } from './architecture-kind.ts'
import type { ChatTemplate } from './chat-template.ts'
import { readChatTemplate } from './chat-template.ts'
import type { ConfigJson } from './config-json.ts'
import type { KnownReranker } from './known-prompts.ts'
import { KNOWN_RERANKERS, findKnownReranker } from './known-prompts.ts'
import type { Answers, PairPrompt, TokenizerSpec } from './spec.ts'
import { readTokenIds } from './token-ids.ts'

export interface RerankerFacts {
  /** What errors call the model. */
  readonly model: string
  /** The model's folder, and that of its Transformer. */
  readonly folder: string
  readonly transformer: string
  readonly config: ConfigJson
  readonly tokenizer: TokenizerSpec
  readonly hasModules: boolean
  /** What a LogitScore module says. */
  readonly scoring: Answers | undefined
  /** config_sentence_transformers.json says so. */
  readonly isCrossEncoder: boolean
  /** Text of the folder's default prompt. */
  readonly instruction: string | undefined
}

export interface AskedReranker {
  /** Undefined: it reads the pair itself. */
  readonly pairPrompt?: PairPrompt
  /** Of a language model, which has no classifier. */
  readonly answers?: Answers
}

/**
 * A language model is an embedder unless something says that it reranks: a LogitScore module, a
 * config_sentence_transformers.json, or, without modules.json, its chat template or its name, or that of the model it was made
 * from. Undefined for a folder that is asked nothing. Throws `model_unsupported` for one that reranks and does not say how it
 * is asked, or whose own name says so and whose architecture gives no score.
 */
export async function readAskedReranker(facts: RerankerFacts): Promise<AskedReranker | undefined> {
  const { model, config, transformer, hasModules, scoring, tokenizer } = facts
  const goesOn = isLanguageModel(config)
  const is = config.architectures?.[0] ?? 'no architecture'
  if (scoring !== undefined && !goesOn) {
    throw new ServerError(
      'model_unsupported',
      `${model}: LogitScore stands behind ${is}; supported are language models (*ForCausalLM)`,
    )
  }
  const ownNames = ownNamesOf(facts)
  if (!goesOn && !isClassifier(config)) {
    if (hasModules || !saysRerank(ownNames)) return undefined
    throw new ServerError(
      'model_unsupported',
      `${model}: its name says that it reranks, but its architecture is ${is}; supported are classifiers ` +
        '(*ForSequenceClassification) and language models (*ForCausalLM)',
    )
  }
  const origin = config['_name_or_path']
  const names = [...ownNames, ...(typeof origin === 'string' ? [origin] : [])]
  const known = findKnownReranker(names, config.model_type)
  const chat = await readChatTemplate(transformer, { model, useModuleConfig: hasModules })
  if (!goesOn) {
    const prompt = hasModules || chat?.namesRoles === true ? chosenTemplate(chat, facts) : known?.prompt
    return prompt && { pairPrompt: withInstruction(prompt, facts) }
  }
  if (!isReranker(facts, chat, names)) return undefined
  const prompt = choosePrompt(chat, known, facts)
  return {
    answers: scoring ?? (await findAnswers(tokenizer, known, model)),
    ...(prompt && { pairPrompt: withInstruction(prompt, facts) }),
  }
}

/** A model in the hub's cache has its repository's name in the path. */
function ownNamesOf({ model, folder }: RerankerFacts): string[] {
  const repository = folder.split(/[/\\]/).findLast((part) => part.startsWith('models--'))
  return [model, basename(folder), repository].filter((name) => name !== undefined)
}

function saysRerank(names: readonly string[]): boolean {
  return names.some((name) => /rerank|zerank/i.test(name))
}

function isReranker(
  { hasModules, scoring, isCrossEncoder }: RerankerFacts,
  chat: ChatTemplate | undefined,
  names: readonly string[],
): boolean {
  if (scoring !== undefined || isCrossEncoder) return true
  return !hasModules && (chat?.namesRoles === true || saysRerank(names))
}

/** The folder's own template, where sentence-transformers 6.2 would use it for pairs. */
function chosenTemplate(chat: ChatTemplate | undefined, facts: RerankerFacts): PairPrompt | undefined {
  if (chat === undefined) return undefined
  const isRead = facts.hasModules ? chat.readsMessages : chat.namesRoles
  return isRead === true ? chat.prompt : undefined
}

function choosePrompt(
  chat: ChatTemplate | undefined,
  known: KnownReranker | undefined,
  facts: RerankerFacts,
): PairPrompt | undefined {
  const own = chosenTemplate(chat, facts)
  // What the folder's modules say goes, though it be that the texts stand side by side.
  if (own !== undefined || facts.scoring !== undefined) return own
  if (known !== undefined) return known.prompt
  if (facts.isCrossEncoder) return chat?.prompt
  const list = KNOWN_RERANKERS.map(({ title, modelType }) => `${title} (${modelType})`).join(', ')
  throw new ServerError(
    'model_unsupported',
    `${facts.model}: its name says that it reranks, but not how it is asked; a chat template with the roles query and ` +
      `document must say so (chat_template.jinja), unless its name is that of ${list}`,
  )
}

function withInstruction(prompt: PairPrompt, { instruction }: RerankerFacts): PairPrompt {
  return { ...prompt, instruction: instruction || prompt.instruction }
}

/** What sentence-transformers 6.2 takes where a folder names no tokens. */
const USUAL_ANSWERS = { yes: 'yes', no: 'no' }

async function findAnswers(
  tokenizer: TokenizerSpec,
  known: KnownReranker | undefined,
  model: string,
): Promise<Answers> {
  const { yes, no, divisor = 1 }: KnownReranker['answers'] = known?.answers ?? USUAL_ANSWERS
  const find = await readTokenIds(tokenizer)
  const idOf = (token: string): number => {
    const id = find(token)
    if (id !== undefined) return id
    throw new ServerError(
      'model_unsupported',
      `${model}: its vocabulary lacks the token "${token}", by which it would answer`,
    )
  }
  return { yes: idOf(yes), no: no === undefined ? undefined : idOf(no), divisor }
}
