import type { ConfigReader } from '../config-reader.ts'

const KINDS = { full_attention: false, sliding_attention: true }

/** Whether a layer sees a window only, as the folder lists it; `unlisted`: where it has no list. */
export function readLayerTypes(
  config: ConfigReader,
  unlisted: (index: number) => boolean,
): (index: number) => boolean {
  const listed = config.choices('layer_types', config.count('num_hidden_layers'), KINDS)
  return (index) => listed?.[index] ?? unlisted(index)
}
