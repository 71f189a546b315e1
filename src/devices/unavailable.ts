import { ServerError } from '../errors.ts'

export const ADVICE =
  '`npm run doctor` shows all that was found; EXECUTION_PROVIDER=cpu computes without a GPU'

/** With what to do next, whatever the reason. */
export function unavailable(reason: string): ServerError {
  return new ServerError('provider_unavailable', `${reason}\n${ADVICE}`)
}
