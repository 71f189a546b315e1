/** What `finish` throws where the output was rejected and an error has taken its place: the job has failed. */
export class ResultReplaced extends Error {
  override readonly name = 'ResultReplaced'
}
