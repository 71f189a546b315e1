import { expect } from 'vitest'
import type { ErrorCode } from '../../../src/errors.ts'
import { ServerError } from '../../../src/errors.ts'

/** The action fails with a ServerError of this code, and its message holds every one of the parts. */
export async function expectRefusal(
  action: () => unknown,
  code: ErrorCode,
  ...parts: readonly string[]
): Promise<void> {
  const error = await failureOf(action)
  expect(error).toBeInstanceOf(ServerError)
  expect(error).toMatchObject({ code })
  for (const part of parts) expect((error as ServerError).message).toContain(part)
}

async function failureOf(action: () => unknown): Promise<unknown> {
  try {
    await action()
  } catch (error) {
    return error
  }
  throw new Error('nothing was refused')
}
