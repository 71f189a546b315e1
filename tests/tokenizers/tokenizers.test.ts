/** Folders without tokenizer.json: the ids, the token types and the texts that transformers gives with them. */
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readTokenizerSpec } from '../../src/model/tokenizer-files.ts'
import { TokenizerThread } from '../../src/tokenize/tokenizer.ts'
import type { Tokenizer } from '../../src/tokenize/tokenizer.ts'

interface Golden {
  /** As a tokenizer.json lists them. */
  readonly added: readonly object[]
  readonly texts: readonly (readonly [name: string, text: string, ids: readonly number[]])[]
  /** Types are null where transformers passes none on. */
  readonly pairs: readonly (readonly [
    name: string,
    first: string,
    second: string,
    ids: readonly number[],
    types: readonly number[] | null,
  ])[]
  readonly decoded: readonly (readonly [ids: readonly number[], text: string])[]
}

const WHOLE = {
  noun: 'text',
  firstIndex: 0,
  truncate: 'none',
  maxTokens: 1000,
  vocabularySize: 1000,
} as const
const NO_PROMPT = { text: '', pooled: true }

const here = import.meta.dirname
const names = readdirSync(here).filter((name) => existsSync(join(here, name, 'golden.json')))

const thread = new TokenizerThread()
afterAll(() => thread.close())

describe.each(names)('%s', (name) => {
  const golden = readJson(join(here, name, 'golden.json')) as Golden
  let tokenizer: Tokenizer
  let content = '{}'
  beforeAll(async () => {
    const folder = join(here, name, 'model')
    const config = readJson(join(folder, 'config.json')) as { model_type: string }
    const spec = await readTokenizerSpec(folder, { model: name, config, useModuleConfig: false })
    content = spec.content ?? content
    tokenizer = await thread.open(spec)
  })

  test('adds the tokens that transformers adds', () => {
    const { added_tokens: added } = JSON.parse(content) as { added_tokens: unknown }
    expect(added).toEqual(golden.added)
  })

  test.each(golden.texts)('reads "%s" as transformers does', async (_, text, ids) => {
    const reading = tokenizer.texts([text], NO_PROMPT, WHOLE)
    if (ids.length === 0) await expect(reading).rejects.toThrow('text 0 has no tokens')
    else expect([...(await reading).ids]).toEqual(ids)
  })

  test.each(golden.pairs)(
    'joins the pair "%s" as transformers does',
    async (_, first, second, ids, types) => {
      const joining = tokenizer.query(first, WHOLE).then((query) => tokenizer.pairs(query, [second], WHOLE))
      if (ids.length === 0) return expect(joining).rejects.toThrow('text 0 has no tokens')
      const row = await joining
      expect([...row.ids]).toEqual(ids)
      expect(ids.map((_, place) => (place < (row.typeStarts[0] ?? 0) ? 0 : 1))).toEqual(
        types ?? ids.map(() => 0),
      )
      return undefined
    },
  )

  test('makes texts of ids as transformers does', async () => {
    const lists = golden.decoded.map(([ids]) => ids)
    const texts = await tokenizer.decode(lists, { skipSpecialTokens: false })
    expect(texts).toEqual(golden.decoded.map(([, text]) => text))
  })
})

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'))
}
