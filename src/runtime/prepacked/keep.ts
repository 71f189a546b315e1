/** Has models written for the starts to come, by a process of low priority each, one after the other. */
import { fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { messageOf } from '../../errors.ts'
import type { PrepackAsk, PrepackReply } from './protocol.ts'
import { removeParts } from './sweep.ts'

const ENTRY = new URL('./child.ts', import.meta.url)

/**
 * Resolves to what was written, or why nothing was; nothing is thrown. The signal ends it at once, and what there is of a part
 * is removed. `entry`: another program, for tests.
 */
export async function keepPrepacked(
  ask: Omit<PrepackAsk, 'token'>,
  signal: AbortSignal,
  entry: URL = ENTRY,
): Promise<PrepackReply> {
  if (signal.aborted) return { skipped: 'the process ends' }
  const token = randomBytes(4).toString('hex')
  try {
    const reply = await askChild({ ...ask, token }, signal, entry)
    if (typeof reply === 'object') return reply
    await removeParts(ask.folder, token)
    return { skipped: reply }
  } catch (error) {
    return { skipped: messageOf(error) }
  }
}

/** Its reply, or how it ended without one. */
async function askChild(ask: PrepackAsk, signal: AbortSignal, entry: URL): Promise<PrepackReply | string> {
  // What it prints would stand between the lines of the log, which tells of it.
  const child = fork(entry, { stdio: ['ignore', 'ignore', 'ignore', 'ipc'], serialization: 'advanced' })
  const end = () => child.kill('SIGKILL')
  signal.addEventListener('abort', end)
  let reply: PrepackReply | undefined
  child.once('message', (message) => {
    reply = message as PrepackReply
  })
  const ended = new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(error.message))
    child.once('exit', (code, killedBy) => resolve(`its process ended with ${killedBy ?? code}`))
  })
  // Where nobody is left to read it, the end of the process says so.
  child.send(ask, () => {})
  const how = await ended
  signal.removeEventListener('abort', end)
  return reply ?? how
}
