/** Models written for the starts to come, once this one serves. */
import type { Log } from './base/log.ts'
import type { UnkeptModel } from './load-model.ts'

/** One after the other, each logged with what became of it. Nothing is thrown: they can be loaded without. */
export async function keepModels(
  models: readonly UnkeptModel[],
  signal: AbortSignal,
  log: Log,
): Promise<void> {
  if (models.length === 0) return
  const { keepPrepacked } = await import('./runtime/prepacked/keep.ts')
  for (const { name: model, ...ask } of models) {
    const start = performance.now()
    const reply = await keepPrepacked(ask, signal)
    if (signal.aborted) return
    if ('skipped' in reply) log('info', { event: 'prepacked_skipped', model, reason: reply.skipped })
    else
      log('info', {
        event: 'prepacked',
        model,
        bytes: reply.bytes,
        ms: Math.round(performance.now() - start),
      })
  }
}
