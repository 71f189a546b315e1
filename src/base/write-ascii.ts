/** Returns where the text ends. For a few characters this is faster than a `Buffer`'s own encoders. */
export function writeAscii(view: DataView, at: number, text: string): number {
  for (let index = 0; index < text.length; index++) view.setUint8(at + index, text.charCodeAt(index))
  return at + text.length
}
