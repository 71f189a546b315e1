/** Finds a family's tensors by name, checks their shapes, and remembers which were used. No byte of them is read. */
import { ServerError } from '../errors.ts'
import type { ModelSpec, TensorRef } from '../model/spec.ts'

/** A weight [rows, columns]; with a scale [rows, 1], the int8 codes of one: w = codes · scale (compressed-tensors). */
export interface Matrix {
  readonly values: TensorRef
  readonly scale: TensorRef | undefined
}

/** y = x · weightᵀ + bias */
export interface Linear {
  /** [out, in] */
  readonly weight: Matrix
  /** [out] */
  readonly bias: TensorRef | undefined
}

export interface Norm {
  /** [H] */
  readonly weight: TensorRef
  /** [H] */
  readonly bias: TensorRef
  readonly epsilon: number
}

/** Names that old checkpoints use for the weight and the bias of a LayerNorm. */
const OLD_NORM_NAMES: Readonly<Record<string, string>> = { weight: 'gamma', bias: 'beta' }

export class TensorTable {
  readonly #model: string
  readonly #tensors: Readonly<Record<string, TensorRef>>
  readonly #prefix: string
  readonly #used = new Set<string>()

  /** Picks the prefix under which `probe` stands; throws `model_invalid` where it stands under none. */
  constructor(spec: ModelSpec, prefixes: readonly string[], probe: string) {
    this.#model = spec.name
    this.#tensors = spec.tensors
    const prefix = prefixes.find((candidate) => Object.hasOwn(spec.tensors, candidate + probe))
    if (prefix === undefined) {
      const names = prefixes.map((candidate) => candidate + probe).join(' or ')
      throw new ServerError('model_invalid', `${spec.name}: the weights hold no tensor ${names}`)
    }
    this.#prefix = prefix
  }

  linear(name: string, outputs: number, inputs: number, { bias = true, root = false } = {}): Linear {
    const path = root ? name : this.#prefix + name
    return {
      weight: this.#matrix(`${path}.weight`, outputs, inputs),
      bias: bias ? this.#take(`${path}.bias`, [outputs]) : undefined,
    }
  }

  /** A lookup table of `rows` rows. */
  table(name: string, rows: number, columns: number): Matrix {
    return this.#matrix(`${this.#prefix}${name}.weight`, rows, columns)
  }

  norm(name: string, width: number, epsilon: number): Norm {
    const find = (part: string): TensorRef => {
      const path = `${this.#prefix}${name}.${part}`
      const old = `${this.#prefix}${name}.${OLD_NORM_NAMES[part]}`
      return this.#take(Object.hasOwn(this.#tensors, path) ? path : old, [width], { shownAs: path })
    }
    return { weight: find('weight'), bias: find('bias'), epsilon }
  }

  /** Tensors not used; throws `model_invalid` where one of them is part of the body, which would then be computed wrongly. */
  unused(body: RegExp, ignored: readonly RegExp[]): string[] {
    const rest = Object.keys(this.#tensors).filter((name) => !this.#used.has(name))
    const unknown = rest.filter((name) => {
      const inner = name.startsWith(this.#prefix) ? name.slice(this.#prefix.length) : name
      return body.test(inner) && !ignored.some((pattern) => pattern.test(inner))
    })
    if (unknown.length > 0) {
      const list =
        unknown.slice(0, 5).join(', ') + (unknown.length > 5 ? ` and ${unknown.length - 5} more` : '')
      throw new ServerError(
        'model_invalid',
        `${this.#model}: the weights hold tensors that this architecture lacks: ${list}`,
      )
    }
    return rest
  }

  #matrix(name: string, rows: number, columns: number): Matrix {
    const values = this.#take(name, [rows, columns], { codes: true })
    return { values, scale: values.dtype === 'I8' ? this.#take(`${name}_scale`, [rows, 1]) : undefined }
  }

  #take(name: string, shape: readonly number[], { shownAs = name, codes = false } = {}): TensorRef {
    const tensor = Object.hasOwn(this.#tensors, name) ? this.#tensors[name] : undefined
    if (tensor === undefined)
      throw new ServerError('model_invalid', `${this.#model}: tensor ${shownAs} is missing`)
    if (tensor.shape.join() !== shape.join()) {
      const is = `[${tensor.shape.join(', ')}]`
      const wanted = `[${shape.join(', ')}]`
      throw new ServerError(
        'model_invalid',
        `${this.#model}: tensor ${name} has shape ${is}; config.json asks for ${wanted}`,
      )
    }
    if (tensor.dtype === 'I8' && !codes) {
      throw new ServerError(
        'model_invalid',
        `${this.#model}: tensor ${name} is I8, which only matrices with scales may be`,
      )
    }
    this.#used.add(name)
    return tensor
  }
}
