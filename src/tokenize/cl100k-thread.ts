/** Reading the vocabulary takes a third of a second and more, and long lists take seconds: neither may hold up others. */
import { Tiktoken } from 'js-tiktoken/lite'
import ranks from 'js-tiktoken/ranks/cl100k_base'
import { serveCalls } from '../base/thread-server.ts'
import { makeVocabulary, splitLists } from './id-lists.ts'
import type { Cl100kCalls } from './protocol.ts'

/** Ids below it are all used; above it only special ones are. */
const ORDINARY_IDS = 100_256

const tiktoken = new Tiktoken(ranks)
const vocabulary = makeVocabulary('cl100k_base', [
  ...Array.from({ length: ORDINARY_IDS }, (_, id) => id),
  ...Object.values(ranks.special_tokens),
])

serveCalls<Cl100kCalls>({
  decode({ lists }) {
    return { reply: { texts: splitLists(lists, vocabulary).map((ids) => tiktoken.decode(ids)) } }
  },
})
