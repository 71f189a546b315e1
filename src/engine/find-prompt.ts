/** Which prompt a client means: clients name what a text is for in words of their own, models in theirs. */
import { ServerError } from '../errors.ts'
import type { ModelSpec } from '../model/spec.ts'
import { NO_ADAPTER } from '../runtime/runner.ts'
import type { PromptChoice } from '../task.ts'
import type { Prompt } from '../tokenize/tokenizer.ts'
import { quoteName } from './quote-name.ts'

export interface FoundPrompt {
  readonly prompt: Prompt
  /** The name asked for, where the model has no such prompt and the client does not insist. */
  readonly ignoredPrompt: string | undefined
  /** Index of the adapter that the texts go through, or NO_ADAPTER. */
  readonly adapter: number
}

/**
 * Names that mean the same, in the order in which they are tried; and the ending of further ones (`code.query`). Others,
 * such as `classification` or `clustering`, mean themselves.
 */
const SYNONYMS: readonly { readonly names: readonly string[]; readonly ending?: string }[] = [
  { names: ['query', 'search_query', 'retrieval.query', 'retrieval_query'], ending: '.query' },
  {
    names: ['document', 'passage', 'search_document', 'retrieval.passage', 'retrieval_passage'],
    ending: '.passage',
  },
  { names: ['text-matching', 'text_matching'] },
]

/** Characters of a prompt that a client writes, or of a name: it stands before every text of a request. */
export const MAX_PROMPT_CHARACTERS = 65_536

/**
 * Throws `invalid_request` where a client's prompt is too long, and, with the names there are, where one that must be
 * there is not.
 */
export function findPrompt(spec: ModelSpec, choice: PromptChoice | undefined): FoundPrompt {
  const adapter = findAdapter(spec, purposeOf(choice))
  if (choice === undefined) return { prompt: defaultPrompt(spec), ignoredPrompt: undefined, adapter }
  expectShort(choice)
  if ('text' in choice) return { prompt: promptOf(spec, choice.text), ignoredPrompt: undefined, adapter }
  const { name, ifUnknown } = choice
  const own = findText(spec.prompts, choice)
  // An empty prompt that every model has is passed over where the name means a task with a prompt of its own.
  const text = own || (adapterPrompt(spec, name) ?? own)
  if (text !== undefined) return { prompt: promptOf(spec, text), ignoredPrompt: undefined, adapter }
  if (ifUnknown === 'ignore') return { prompt: defaultPrompt(spec), ignoredPrompt: name, adapter }
  const known = Object.keys(spec.prompts).join(', ')
  throw new ServerError('invalid_request', `prompt ${quoteName(name)} is unknown; ${spec.name} has: ${known}`)
}

function expectShort(choice: PromptChoice): void {
  const [noun, { length }] = 'text' in choice ? ['prompt', choice.text] : ['prompt name', choice.name]
  if (length <= MAX_PROMPT_CHARACTERS) return
  throw new ServerError(
    'invalid_request',
    `${noun} has ${length} characters; a ${noun} may have ${MAX_PROMPT_CHARACTERS}`,
  )
}

/**
 * Every embedding model has a `query` and a `document`, empty where its files name none. A client that insists on a name
 * gets that very prompt, as sentence-transformers gives it; of one that says what a text is for, an empty prompt is
 * passed over where a synonym has words: with `search_query: `, `query` means that.
 */
function findText(
  prompts: ModelSpec['prompts'],
  { name, ifUnknown }: Extract<PromptChoice, { name: string }>,
): string | undefined {
  const own = Object.hasOwn(prompts, name) ? prompts[name] : undefined
  if (own || (own !== undefined && ifUnknown === 'refuse')) return own
  const texts = synonymsOf(name).flatMap((synonym) =>
    Object.hasOwn(prompts, synonym) ? [prompts[synonym] as string] : [],
  )
  return texts.find((text) => text !== '') ?? own ?? texts[0]
}

/** The prompt of the task that a name means, where the model has an adapter for it. */
function adapterPrompt(spec: ModelSpec, name: string): string | undefined {
  const task = spec.adapters?.[findAdapter(spec, name)]
  return task === undefined ? undefined : spec.prompts[task]
}

/** What texts are for, in the client's word; undefined: it is unsaid. */
export function purposeOf(choice: PromptChoice | undefined): string | undefined {
  return choice?.task ?? (choice !== undefined && 'name' in choice ? choice.name : undefined)
}

/** NO_ADAPTER where the model has none for this. */
function findAdapter({ adapters = [] }: ModelSpec, purpose: string | undefined): number {
  if (purpose === undefined) return NO_ADAPTER
  const indices = [purpose, ...synonymsOf(purpose)].map((name) => adapters.indexOf(name))
  return indices.find((index) => index >= 0) ?? NO_ADAPTER
}

export function synonymsOf(name: string): readonly string[] {
  const group = SYNONYMS.find(
    ({ names, ending }) => names.includes(name) || (ending !== undefined && name.endsWith(ending)),
  )
  return group?.names ?? []
}

function defaultPrompt(spec: ModelSpec): Prompt {
  const { defaultPromptName: name, prompts } = spec
  return promptOf(spec, name === undefined ? '' : (prompts[name] ?? ''))
}

/** Whether its tokens are pooled is for the model to say. */
function promptOf({ head }: ModelSpec, text: string): Prompt {
  const pooling = head.kind === 'embedding' ? head.steps.find((step) => step.kind === 'pooling') : undefined
  return { text, pooled: pooling?.includePrompt ?? true }
}
