import { fileURLToPath } from 'node:url'
import type { Command, Contestant } from './contestant.ts'
import { openLibrary } from './library.ts'

const BARE_SESSION = fileURLToPath(new URL('./bare-session-child.ts', import.meta.url))

/** The graph that this program runs, without anything around it. */
export function openBareSessionProcess(): Promise<Contestant> {
  return openLibrary({
    id: 'bare-session',
    title: () => 'session alone, in process',
    command: { program: process.execPath, args: [BARE_SESSION], env: {} },
  })
}

export function openSentenceTransformers(command: Command): Promise<Contestant> {
  return openLibrary({
    id: 'sentence-transformers',
    title: (versions) => `sentence-transformers ${versions['sentence-transformers'] ?? ''}, in process`,
    command,
  })
}
