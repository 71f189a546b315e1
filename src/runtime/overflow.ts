/** Numbers of a model that the precision at hand cannot hold: it wants a wider one, and is not broken. */
export class Overflow extends Error {
  override readonly name = 'Overflow'
}
