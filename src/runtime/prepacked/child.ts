/**
 * The process that packs a model for the starts to come. It is one of its own because it holds the weights a second time, which
 * it gives back whole by ending; because it may be ended at any moment; and because what serves is to come first: for the
 * processor, and where memory runs out.
 */
import { writeFile } from 'node:fs/promises'
import { constants, setPriority } from 'node:os'
import type { PrepackAsk } from './protocol.ts'

// Threads that are started from now on have it too.
setPriority(constants.priority.PRIORITY_LOW)
process.once('message', (ask) => void answer(ask as PrepackAsk))

async function answer(ask: PrepackAsk): Promise<void> {
  // The first to be ended by a system without memory.
  await writeFile('/proc/self/oom_score_adj', '1000').catch(() => {})
  const { writePrepacked } = await import('./write.ts')
  const reply = await writePrepacked(ask)
  // Whoever asked may be gone; what was written is there.
  if (process.connected) process.send?.(reply, undefined, {}, () => process.disconnect?.())
}
