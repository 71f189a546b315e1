/** A family's settings out of config.json: every value checked, every refusal naming the key, the value and what is allowed. */
import { ServerError } from '../errors.ts'

export class ConfigReader {
  readonly #model: string
  readonly #config: Readonly<Record<string, unknown>>

  constructor(model: string, config: Readonly<Record<string, unknown>>) {
    this.#model = model
    this.#config = config
  }

  /** A whole number of at least `least`. */
  int(key: string, fallback?: number, least = 1): number {
    const value = this.#config[key] ?? fallback
    if (typeof value === 'number' && Number.isInteger(value) && value >= least) return value
    throw this.#refuse(key, value, `a whole number of at least ${least}`)
  }

  /** A number from 0 to 1. */
  fraction(key: string, fallback?: number): number {
    const value = this.#config[key] ?? fallback
    if (typeof value === 'number' && value >= 0 && value <= 1) return value
    throw this.#refuse(key, value, 'a number from 0 to 1')
  }

  /** One of the keys of `choices`, as the value that stands there. */
  choice<X>(key: string, choices: Readonly<Record<string, X>>, fallback?: string): X {
    const value = this.#config[key] ?? fallback
    if (typeof value === 'string' && Object.hasOwn(choices, value)) return choices[value] as X
    throw this.#refuse(key, value, `one of ${Object.keys(choices).join(', ')}`)
  }

  /** Throws `model_unsupported` where the folder asks for what this family does not do. */
  expect(key: string, allowed: readonly unknown[]): void {
    const value = this.#config[key]
    if (value === undefined || value === null || allowed.includes(value)) return
    const list = allowed.map((entry) => JSON.stringify(entry)).join(' or ')
    throw new ServerError(
      'model_unsupported',
      `${this.#model}: config.json has ${key} ${JSON.stringify(value)}; this family is supported with ${list} only`,
    )
  }

  #refuse(key: string, value: unknown, wanted: string): ServerError {
    const is = value === undefined ? 'is missing' : `is ${JSON.stringify(value)}`
    return new ServerError(
      'model_invalid',
      `${this.#model}: ${key} in config.json ${is}; it must be ${wanted}`,
    )
  }
}
