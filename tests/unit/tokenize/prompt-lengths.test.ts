import { expect, test } from 'vitest'
import { PromptLengths } from '../../../src/tokenize/prompt-lengths.ts'

/** Counts characters, and keeps what it was asked for. */
function open() {
  const counted: string[] = []
  const lengths = new PromptLengths(async (prompt) => {
    counted.push(prompt)
    return prompt.length
  })
  return { lengths, counted }
}

test('a prompt in use is counted once', async () => {
  const { lengths, counted } = open()
  for (let time = 0; time < 3; time++) {
    expect(await lengths.of('query: ')).toBe(7)
    expect(await lengths.of('')).toBe(0)
  }
  expect(counted).toEqual(['query: ', ''])
})

test('of more than sixteen, the one not asked for longest is forgotten', async () => {
  const { lengths, counted } = open()
  const prompts = Array.from({ length: 16 }, (_, n) => 'p'.repeat(n + 1))
  for (const prompt of prompts) await lengths.of(prompt)
  await lengths.of('p')
  await lengths.of('another')
  counted.length = 0
  for (const prompt of ['p', 'another', ...prompts.slice(2)]) await lengths.of(prompt)
  expect(counted).toEqual([])
  await lengths.of('pp')
  expect(counted).toEqual(['pp'])
})

test('a prompt that cannot be counted is not kept', async () => {
  let tries = 0
  const lengths = new PromptLengths(async () => {
    if (++tries === 1) throw new Error('no')
    return 5
  })
  await expect(lengths.of('x')).rejects.toThrow('no')
  expect(await lengths.of('x')).toBe(5)
})
