import type { PendingRequest } from './pending-request.ts'

/** One text or pair on its way to the device. */
export interface Row {
  readonly request: PendingRequest
  /** Its place in the request. */
  readonly index: number
  readonly ids: Int32Array
  readonly typeStart: number
  readonly unpooledTokens: number
  /** Times that the inference thread died with this row in its batch. */
  deaths: number
}
