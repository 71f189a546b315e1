/** Finds a family's tensors by name, checks their shapes, and remembers which were used. No byte of them is read. */
import { ServerError } from '../errors.ts'
import type { ModelSpec, TensorRef } from '../model/spec.ts'
import type { LinearPlan, NormPlan } from './layers/encoder-plan.ts'
import type { Matrix } from './matrix.ts'
import { rowsOf, vectorPart } from './matrix.ts'

export type { Matrix } from './matrix.ts'

/** y = x · weightᵀ + bias */
export interface Linear {
  /** [out, in] */
  readonly weight: Matrix
  /** [out] */
  readonly bias: TensorRef | undefined
  readonly inputMajor?: never
}

/** y = x · weight + bias: only for steps that say so, as rows of such a weight are not outputs. */
export interface InputMajorLinear {
  /** [in, out] */
  readonly weight: Matrix
  /** [out] */
  readonly bias: TensorRef | undefined
  readonly inputMajor: true
}

export type AnyLinear = Linear | InputMajorLinear

export interface Norm {
  readonly kind: 'layer' | 'rms'
  /** [H] */
  readonly weight: TensorRef
  /** [H] */
  readonly bias: TensorRef | undefined
  readonly epsilon: number
  /** The weight is one more than what is stored. */
  readonly plusOne: boolean
}

/** Names that old checkpoints use for the weight and the bias of a LayerNorm. */
const OLD_NORM_NAMES: Readonly<Record<string, string>> = { weight: 'gamma', bias: 'beta' }

/** How a body's tensors are found: a part of `Family`. */
export interface BodyNames {
  readonly prefixes: readonly string[]
  readonly probe: string
  /** Weights may stand under the name that torch gives to one which adapters can change. */
  readonly adapted?: true
}

/** What torch calls a weight as it is without its parametrization. */
const UNADAPTED = 'parametrizations.weight.original'

/** The first prefix under which the probe stands. */
export function findPrefix(
  { prefixes, probe }: BodyNames,
  tensors: ModelSpec['tensors'],
): string | undefined {
  return prefixes.find((prefix) => Object.hasOwn(tensors, prefix + probe))
}

export class TensorTable {
  readonly #model: string
  readonly #tensors: Readonly<Record<string, TensorRef>>
  readonly #prefix: string
  readonly #adapted: boolean
  readonly #used = new Set<string>()

  /** Picks the prefix under which the probe stands; throws `model_invalid` where it stands under none. */
  constructor(spec: ModelSpec, names: BodyNames) {
    this.#model = spec.name
    this.#tensors = spec.tensors
    const prefix = findPrefix(names, spec.tensors)
    if (prefix === undefined) {
      const probes = names.prefixes.map((candidate) => candidate + names.probe).join(' or ')
      throw new ServerError('model_invalid', `${spec.name}: the weights hold no tensor ${probes}`)
    }
    this.#prefix = prefix
    this.#adapted = names.adapted ?? false
  }

  linear(plan: LinearPlan, outputs: number, inputs: number): Linear {
    const { name, part: [index, count] = [0, 1] } = plan
    const path = plan.root === true ? name : this.#prefix + name
    const weight = this.#matrix(path, count * outputs, inputs)
    const bias = plan.bias ? this.#take(`${path}.bias`, [count * outputs]) : undefined
    if (count === 1) return { weight, bias }
    const from = index * outputs
    return {
      weight: rowsOf(weight, from, outputs),
      bias: bias && vectorPart(bias, from, outputs),
    }
  }

  /** A lookup table of `rows` rows, without the first `skip` of them. */
  table(name: string, rows: number, columns: number, { skip = 0 } = {}): Matrix {
    const table = this.#matrix(this.#prefix + name, rows, columns)
    return skip === 0 ? table : rowsOf(table, skip, rows - skip)
  }

  norm(plan: NormPlan, width: number): Norm {
    const { kind, epsilon, plusOne = false } = plan
    const name = plan.root === true ? plan.name : this.#prefix + plan.name
    const find = (part: string): TensorRef => {
      const path = `${name}.${part}`
      const old = `${name}.${OLD_NORM_NAMES[part]}`
      return this.#take(Object.hasOwn(this.#tensors, path) ? path : old, [width], { shownAs: path })
    }
    return { kind, weight: find('weight'), bias: plan.bias ? find('bias') : undefined, epsilon, plusOne }
  }

  /** Whether the checkpoint holds a tensor of this whole name, of the body or not. */
  hasRoot(name: string): boolean {
    return Object.hasOwn(this.#tensors, name)
  }

  /** A tensor by its whole name, of the body or not. */
  rootTensor(name: string, shape: readonly number[]): TensorRef {
    return this.#take(name, shape)
  }

  /** Whether the checkpoint holds a tensor of the body. */
  has(name: string): boolean {
    return Object.hasOwn(this.#tensors, this.#prefix + name)
  }

  /** A tensor of the body by its whole name, in a shape of its own. */
  tensor(name: string, shape: readonly number[]): TensorRef {
    return this.#take(this.#prefix + name, shape)
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

  #matrix(path: string, rows: number, columns: number): Matrix {
    const unadapted = `${path}.${UNADAPTED}`
    const isAdapted = this.#adapted && Object.hasOwn(this.#tensors, unadapted)
    const name = isAdapted ? unadapted : `${path}.weight`
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
