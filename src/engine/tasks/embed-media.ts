import { ServerError } from '../../errors.ts'
import type { MediaReader } from '../../media/media.ts'
import type { CallOptions, EmbedMediaTask, EmbedResult } from '../../task.ts'
import { expectReadable } from '../expect-readable.ts'
import { MEDIA_SIZE } from '../feed-rows.ts'
import { findPrompt } from '../find-prompt.ts'
import { finishVectors } from '../finish.ts'
import type { Item } from '../media-rows.ts'
import { MediaRows, isMedia, isText } from '../media-rows.ts'
import type { ServedModel } from '../served-model.ts'
import { factsOf } from '../task-rows.ts'
import { planVectors } from '../vector-plan.ts'
import { embed } from './embed.ts'

/** Rows of a request that wait ready, beside those that are read: a prepared picture is 600 KB. */
const READY_ROWS = 16

const NOUN = 'input'

/** Throws what the reader throws of the first item that cannot be read, which it names; and as `embed` does. */
export async function embedMedia(
  served: ServedModel,
  task: EmbedMediaTask,
  options: CallOptions,
  reader: MediaReader | undefined,
): Promise<EmbedResult> {
  const { items } = task
  const texts = items.filter(isText)
  if (texts.length === items.length) return embed(served, { ...task, kind: 'embed', texts }, options)
  if (reader === undefined) throw new ServerError('internal', 'nothing here reads pictures and sounds')
  // In the places that they have in the request, for errors.
  expectReadable(
    items.map((item) => (isMedia(item) ? '' : item)),
    NOUN,
  )
  const found = texts.length > 0 ? findPrompt(served.model.spec, task.prompt) : undefined
  const plan = planVectors(served, task)
  const rows = new MediaRows(served, { task, items, prompt: found?.prompt, noun: NOUN, reader, options })
  const promptSize = found?.prompt.text.length ?? 0
  try {
    const result = await served.lane.submit({
      noun: NOUN,
      sizes: items.map((item) => (isMedia(item) ? MEDIA_SIZE : promptSize + item.length)),
      knownTokens: items.map((item) => mostTokens(served, item)),
      texts: items.map(tellApart),
      wantsTokens: false,
      ...(found && { adapter: found.adapter }),
      readyRows: READY_ROWS,
      // Rows that all wait ready would take memory for as many pictures as a request can have.
      tokenizeFirst: false,
      tokenize: (from, to) => rows.make(from, to),
      onDelivered: (index) => rows.deliver(index),
      options,
    })
    const vectors = finishVectors(result.rows, plan)
    return { ...factsOf(served, result, found?.ignoredPrompt), dimensions: plan.dimensions, vectors }
  } finally {
    rows.close()
  }
}

function mostTokens({ model }: ServedModel, item: Item): number | undefined {
  return isMedia(item) ? (model.runner.towers[item.modality]?.maxTokens ?? 1) : undefined
}

/** Of bytes it is not known before they are read which are alike. */
function tellApart(item: Item, index: number): string {
  if (!isMedia(item)) return `text ${item}`
  return 'url' in item.source ? `${item.modality} ${item.source.url}` : `bytes ${index}`
}
