import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { LoadAsk, LoadReply } from './protocol.ts'

export interface LoadClient {
  /** One at a time. Throws where the generator ends. */
  readonly load: (ask: LoadAsk) => Promise<LoadReply>
  readonly close: () => void
}

export function startClient(): LoadClient {
  const child = fork(new URL('./main.ts', import.meta.url), { serialization: 'advanced' })
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`the load generator ended with ${code as number | null}`)
  })
  ended.catch(() => {})
  return {
    async load(ask) {
      const reply = once(child, 'message')
      child.send(ask)
      const [message] = (await Promise.race([reply, ended])) as [LoadReply]
      return message
    },
    close: () => child.disconnect(),
  }
}
