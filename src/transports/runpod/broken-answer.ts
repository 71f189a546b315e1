/** An answer began to come, and could not be read to its end, or not understood. No client ever sees it. */
export class BrokenAnswer extends Error {
  override readonly name = 'BrokenAnswer'
}
