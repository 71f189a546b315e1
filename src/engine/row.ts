import type { RaggedRow } from '../runtime/runner.ts'
import type { PendingRequest } from './pending-request.ts'

/** One text or pair on its way to the device. */
export interface Row extends RaggedRow {
  readonly request: PendingRequest
  /** Its place in the request. */
  readonly index: number
  /** Times that the inference thread died with this row in its batch. */
  deaths: number
}
