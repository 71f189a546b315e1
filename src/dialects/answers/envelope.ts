/** What stands around the contents of an answer. */
import { randomUUID } from 'node:crypto'
import { z } from 'zod'

export const Usage = z.object({ prompt_tokens: z.int(), completion_tokens: z.int(), total_tokens: z.int() })

/** Some clients refuse a usage that lacks any of the three. */
export function usage(promptTokens: number) {
  return { prompt_tokens: promptTokens, completion_tokens: 0, total_tokens: promptTokens }
}

export function newId(prefix: string): string {
  return `${prefix}-${randomUUID()}`
}

export function unixSeconds(): number {
  return Math.floor(Date.now() / 1000)
}
