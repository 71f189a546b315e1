/** Queries and documents of a model that compares texts token by token: how each is read, and what stands for it. */
import type { KindRules, ModelSpec, TokenRules } from '../model/spec.ts'
import type { PromptChoice } from '../task.ts'
import type { RowOptions } from '../tokenize/tokenizer.ts'
import { findPrompt } from './find-prompt.ts'
import type { FoundPrompt } from './find-prompt.ts'
import { findRoute } from './find-route.ts'
import type { ServedModel } from './served-model.ts'

export type TokenKind = 'query' | 'document'

/** Undefined: the model does not compare tokens. */
export function tokenRulesOf({ head }: ModelSpec): TokenRules | undefined {
  if (head.kind === 'multi_vector') return head.rules
  return head.kind === 'embedding' ? head.multiVector?.rules : undefined
}

const KINDS: readonly { readonly tasks: readonly [TokenKind] }[] = [
  { tasks: ['document'] },
  { tasks: ['query'] },
]

/** What a text is, told as among a dense model's routes; one whose kind is unsaid is a document. */
export function kindOf(choice: PromptChoice | undefined): TokenKind {
  return KINDS[findRoute(KINDS, choice)]?.tasks[0] ?? 'document'
}

/** The prompt of a kind, unless another one is chosen. Throws as `findPrompt` does. */
export function findKindPrompt(
  spec: ModelSpec,
  kind: TokenKind,
  choice: PromptChoice | undefined,
): FoundPrompt {
  const found = findPrompt(spec, choice ?? { name: kind, ifUnknown: 'ignore' })
  return { ...found, prompt: { ...found.prompt, pooled: true } }
}

export interface RowLengths {
  /** Tokens of a row that the tokenizer's files allow; undefined: they say nothing. */
  readonly tokenizerTokens: number | undefined
  /** Those that the device takes, whatever the model's files say. */
  readonly deviceTokens: number
}

/** How rows of a kind are made: with its own limit, else the tokenizer's, and never with the other kind's. */
export function kindRowOptions(
  options: RowOptions,
  rules: KindRules,
  { tokenizerTokens = Infinity, deviceTokens }: RowLengths,
): RowOptions {
  const { maxTokens = tokenizerTokens, expansion } = rules
  return {
    ...options,
    maxTokens: Math.min(maxTokens, deviceTokens),
    fill: expansion && { id: expansion.id, tokens: Math.min(expansion.tokens, deviceTokens) },
  }
}

export interface TokenRow {
  readonly ids: Int32Array
  /** [tokens, rowWidth] */
  readonly tokens: Float32Array
  readonly rowWidth: number
  /** Numbers of a vector: the last of a token's. */
  readonly width: number
}

/** The vectors that stand for a row: [kept tokens, width], of its own. */
export function keepVectors({ ids, tokens, rowWidth, width }: TokenRow, rules: KindRules): Float32Array {
  const { skippedStart = 0, skippedIds, keptIds } = rules
  const kept = new Float32Array(ids.length * width)
  let count = 0
  for (let place = skippedStart; place < ids.length; place++) {
    const id = ids[place] as number
    if (skippedIds.includes(id) || keptIds?.includes(id) === false) continue
    const end = (place + 1) * rowWidth
    kept.set(tokens.subarray(end - width, end), count * width)
    count++
  }
  return count === ids.length ? kept : kept.slice(0, count * width)
}

/** Numbers of a vector by which tokens are compared: the last of what a token has. */
export function multiWidth({ model }: ServedModel): number {
  const { head } = model.spec
  const own = head.kind === 'embedding' ? head.multiVector?.weight.shape[0] : undefined
  return own ?? model.runner.limits.tokenWidth
}
