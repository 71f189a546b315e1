/** The colour that a GIF's transparent pixels have in its palette: what they are when transparency is dropped. */

const EXTENSION = 0x21
const GRAPHIC_CONTROL = 0xf9
const FRAME = 0x2c
const SCREEN_BYTES = 13
const FRAME_BYTES = 10

/** Of the first frame: red, green, blue. Undefined where it has no palette or ends too early. */
export function findHiddenColor(bytes: Uint8Array): readonly number[] | undefined {
  const globalFlags = bytes[10] ?? 0
  let at = SCREEN_BYTES + paletteBytes(globalFlags)
  let index = 0
  while (bytes[at] === EXTENSION) {
    // flags, delay, then the index; the lowest flag says that there is one
    if (bytes[at + 1] === GRAPHIC_CONTROL && ((bytes[at + 3] ?? 0) & 1) === 1) index = bytes[at + 6] ?? 0
    at = skipBlocks(bytes, at + 2)
  }
  if (bytes[at] !== FRAME) return undefined
  const localFlags = bytes[at + FRAME_BYTES - 1] ?? 0
  const isLocal = paletteBytes(localFlags) > 0
  const size = paletteBytes(isLocal ? localFlags : globalFlags)
  if (index * 3 >= size) return undefined
  const start = (isLocal ? at + FRAME_BYTES : SCREEN_BYTES) + index * 3
  const color = bytes.subarray(start, start + 3)
  return color.length === 3 ? Array.from(color) : undefined
}

function paletteBytes(flags: number): number {
  return (flags & 0x80) === 0 ? 0 : 3 * 2 ** ((flags & 7) + 1)
}

/** Blocks of bytes, each behind its length, up to an empty one. */
function skipBlocks(bytes: Uint8Array, start: number): number {
  let at = start
  while (at < bytes.length && bytes[at] !== 0) at += (bytes[at] as number) + 1
  return at + 1
}
