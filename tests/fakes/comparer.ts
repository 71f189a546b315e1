/** A model that compares texts token by token, on a device that answers by ids. */
import type { MultiVectorHead, TokenRules } from '../../src/model/spec.ts'
import type { FakeModel, FakeModelOptions } from './model.ts'
import { fakeModel } from './model.ts'

export const RULES: TokenRules = {
  query: { maxTokens: 32, skippedIds: [], expansion: { id: 7, tokens: 32, attended: false } },
  // the code of a full stop
  document: { maxTokens: 300, skippedIds: [46] },
  similarity: 'sum',
}

/** A letter's vector is its place in the alphabet, and 1. */
const letter = (id: number) => [id - 96, 1]

export function comparer(rules: Partial<TokenRules> = {}, options: FakeModelOptions = {}): FakeModel {
  const head: MultiVectorHead = { kind: 'multi_vector', steps: [], rules: { ...RULES, ...rules } }
  return fakeModel({
    limits: { outputWidth: 2, vectorWidth: 2, tokenWidth: 2 },
    computeToken: letter,
    compute: (_, width) => Array<number>(width).fill(0),
    ...options,
    spec: { head, prompts: { query: '', document: '' }, ...options.spec },
  })
}
