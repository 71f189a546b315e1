/** A family's settings out of config.json: every value checked, every refusal naming the key, the value and what is allowed. */
import { ServerError } from '../errors.ts'

/** The largest number of 32 bits: sizes and ids beyond it fit no tensor. */
const MOST = 2 ** 31 - 1

/** Of what a plan lists one by one. No model has as many, and a list that is as long as a folder says could fill the memory. */
export const MOST_LISTED = 1000

export class ConfigReader {
  readonly #model: string
  readonly #config: Readonly<Record<string, unknown>>
  readonly #path: string

  /** `path` stands before the keys in errors: where in config.json this object is. */
  constructor(model: string, config: Readonly<Record<string, unknown>>, path = '') {
    this.#model = model
    this.#config = config
    this.#path = path
  }

  /** A whole number from `least` to `most`. */
  int(key: string, fallback?: number, least = 1, most = MOST): number {
    const value = this.#config[key] ?? fallback
    const isWhole = typeof value === 'number' && Number.isInteger(value)
    if (isWhole && value >= least && value <= most) return value
    throw this.#refuse(key, value, `a whole number of at least ${least} and at most ${most}`)
  }

  /** How many of something a plan lists one by one, layers above all: from 1 to `most`. */
  count(key: string, fallback?: number, most = MOST_LISTED): number {
    return this.int(key, fallback, 1, most)
  }

  /** A whole number of at least `least`, or undefined where null says that there is none; `fallback`: where nothing is said. */
  optionalInt(key: string, fallback?: number, least = 1): number | undefined {
    if (this.#config[key] === null) return undefined
    return this.#config[key] === undefined ? fallback : this.int(key, undefined, least)
  }

  /** A finite number above 0. */
  positive(key: string, fallback?: number): number {
    const value = this.#config[key] ?? fallback
    if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value
    throw this.#refuse(key, value, 'a number above 0')
  }

  flag(key: string, fallback: boolean): boolean {
    const value = this.#config[key] ?? fallback
    if (typeof value === 'boolean') return value
    throw this.#refuse(key, value, 'true or false')
  }

  /** `count` of the keys of `choices`, as the values that stand there; undefined where the folder has no such list. */
  choices<X>(key: string, count: number, choices: Readonly<Record<string, X>>): X[] | undefined {
    const list = this.#config[key]
    if (list === undefined || list === null) return undefined
    const wanted = `a list of ${count}, each one of ${Object.keys(choices).join(', ')}`
    if (!Array.isArray(list) || list.length !== count) throw this.#refuse(key, list, wanted)
    return list.map((name: unknown) => {
      if (typeof name !== 'string' || !Object.hasOwn(choices, name)) throw this.#refuse(key, list, wanted)
      return choices[name] as X
    })
  }

  /** Whole numbers from 1 to `most`, at most `entries` of them, as a list or one alone. */
  ints(
    key: string,
    fallback: readonly number[],
    { entries = MOST_LISTED, most = MOST } = {},
  ): readonly number[] {
    const value = this.#config[key] ?? fallback
    const list: readonly unknown[] = [value].flat()
    const isWhole = (entry: unknown): entry is number =>
      Number.isInteger(entry) && Number(entry) >= 1 && Number(entry) <= most
    if (list.length >= 1 && list.length <= entries && list.every(isWhole)) return list
    throw this.#refuse(key, value, `1 to ${entries} whole numbers of at least 1 and at most ${most}`)
  }

  /** Entries of a list of at most `most`, whatever they are; undefined where there is none. */
  listLength(key: string, most = MOST_LISTED): number | undefined {
    const list = this.#config[key]
    if (list === undefined || list === null) return undefined
    if (Array.isArray(list) && list.length >= 1 && list.length <= most) return list.length
    throw this.#refuse(key, list, `a list of 1 to ${most} entries`)
  }

  /** An object within config.json, with the same checks; undefined where there is none. */
  section(key: string): ConfigReader | undefined {
    const value = this.#config[key]
    if (value === undefined || value === null) return undefined
    if (typeof value !== 'object' || Array.isArray(value)) throw this.#refuse(key, value, 'an object')
    return new ConfigReader(this.#model, value as Record<string, unknown>, `${this.#path}${key}.`)
  }

  /** What the reader of the folder put beside the settings: no JSON can hold it. */
  array<A extends object>(key: string, kind: new (length: number) => A): A | undefined {
    const value = this.#config[key]
    return value instanceof kind ? value : undefined
  }

  get isEmpty(): boolean {
    return Object.keys(this.#config).length === 0
  }

  /** The same settings, but for those that the other one has. */
  overlaid(other: ConfigReader): ConfigReader {
    return new ConfigReader(this.#model, { ...this.#config, ...other.#config }, this.#path)
  }

  /** The same settings, and for those that are left out these. */
  withDefaults(defaults: Readonly<Record<string, unknown>>): ConfigReader {
    return new ConfigReader(this.#model, { ...defaults, ...this.#config }, this.#path)
  }

  has(key: string): boolean {
    return this.#config[key] !== undefined && this.#config[key] !== null
  }

  /** What one of `count` equal parts of the whole number under `key` is. */
  split(key: string, count: number, fallback?: number): number {
    const value = this.int(key, fallback)
    if (value % count === 0) return value / count
    throw this.#refuse(key, value, `a multiple of ${count}`)
  }

  /** Which of several names of one setting config.json uses; the first where it uses none. */
  nameOf(first: string, ...others: readonly string[]): string {
    return [first, ...others].find((key) => (this.#config[key] ?? undefined) !== undefined) ?? first
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

  /** Some of `choices`, as a list or joined by a bar; none where config.json has nothing. */
  someOf<X extends string>(key: string, choices: readonly X[]): X[] {
    const value = this.#config[key] ?? []
    const list: readonly unknown[] =
      typeof value === 'string' ? value.toLowerCase().split('|') : [value].flat()
    return list.map((entry) => {
      const found = choices.find((choice) => typeof entry === 'string' && choice === entry.trim())
      if (found === undefined) throw this.#refuse(key, value, `made of ${choices.join(', ')}`)
      return found
    })
  }

  /** Throws `model_unsupported` where the folder asks for what this family does not do. */
  expect(key: string, allowed: readonly unknown[]): void {
    const value = this.#config[key]
    if (value === undefined || value === null || allowed.includes(value)) return
    const list = allowed.map((entry) => JSON.stringify(entry)).join(' or ')
    throw new ServerError(
      'model_unsupported',
      `${this.#model}: config.json has ${this.#path}${key} ${JSON.stringify(value)}; this family is supported with ${list} only`,
    )
  }

  /** What settings say together and no model can be. */
  invalid(problem: string): ServerError {
    return new ServerError('model_invalid', `${this.#model}: ${problem}`)
  }

  /** What a model may be, and this family does not do. */
  unsupported(problem: string): ServerError {
    return new ServerError('model_unsupported', `${this.#model}: ${problem}`)
  }

  #refuse(key: string, value: unknown, wanted: string): ServerError {
    const is = value === undefined ? 'is missing' : `is ${JSON.stringify(value)}`
    return new ServerError(
      'model_invalid',
      `${this.#model}: ${this.#path}${key} in config.json ${is}; it must be ${wanted}`,
    )
  }
}
