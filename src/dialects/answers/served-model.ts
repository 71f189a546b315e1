import { ServerError } from '../../errors.ts'
import type { ModelInfo, Service } from '../../task.ts'

export function findServed(service: Service, name: unknown): ModelInfo | undefined {
  return service.models().find(({ id, aliases }) => id === name || aliases.some((alias) => alias === name))
}

/** Throws `model_not_found`. */
export function expectServed(service: Service, name: string): ModelInfo {
  const found = findServed(service, name)
  if (found !== undefined) return found
  const names = service.models().map(({ id }) => id)
  throw new ServerError('model_not_found', `model "${name}" is not served; served are ${names.join(', ')}`)
}
