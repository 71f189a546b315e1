/** Finds a family's tensors by name, checks their shapes, and remembers which were used. No byte of them is read. */
import { ServerError } from '../errors.ts'
import type { ModelSpec, TensorRef } from '../model/spec.ts'
import { isCode } from '../model/spec.ts'
import type { FindPart, LinearAdapter, TableAdapter } from './adapters.ts'
import { linearAdapter, tableAdapter } from './adapters.ts'
import { SeparateAdapters } from './separate-adapters.ts'
import type { AdaptersPlan, LinearPlan, NormPlan } from './layers/encoder-plan.ts'
import type { Matrix } from './matrix.ts'
import { rowsOf, vectorPart } from './matrix.ts'
import type { BlockSize } from './weight-scale.ts'
import { ACTIVATION_SCALE, blockSizesOf, findScale, withScale } from './weight-scale.ts'

export type { Matrix } from './matrix.ts'

/** y = x · weightᵀ + bias, and what an adapter adds */
export interface Linear {
  /** [out, in] */
  readonly weight: Matrix
  /** [out] */
  readonly bias: TensorRef | undefined
  readonly adapter?: LinearAdapter | undefined
  readonly inputMajor?: never
}

/** y = x · weight + bias: only for steps that say so, as rows of such a weight are not outputs. */
export interface InputMajorLinear {
  /** [in, out] */
  readonly weight: Matrix
  /** [out] */
  readonly bias: TensorRef | undefined
  readonly adapter?: never
  readonly inputMajor: true
}

export type AnyLinear = Linear | InputMajorLinear

/** Rows to look up, and what an adapter adds to them. */
export interface Table extends Matrix {
  readonly adapter?: TableAdapter | undefined
}

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

/** What torch calls a weight as it is without its parametrization, and the parts of one that adapts it. */
const UNADAPTED = 'parametrizations.weight.original'
const ADAPTING = 'parametrizations.weight.0.lora_'

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
  readonly #adapters: AdaptersPlan | undefined
  readonly #separate: SeparateAdapters
  readonly #blockSizes: readonly BlockSize[]
  readonly #used = new Set<string>()

  /**
   * Picks the prefix under which the probe stands; throws `model_invalid` where it stands under none. `adapters`: those that are
   * asked for with the weights that have them.
   */
  constructor(
    spec: Pick<ModelSpec, 'name' | 'tensors' | 'config' | 'adapterParts'>,
    names: BodyNames,
    adapters?: AdaptersPlan,
  ) {
    this.#model = spec.name
    this.#tensors = spec.tensors
    const prefix = findPrefix(names, spec.tensors)
    if (prefix === undefined) {
      const probes = names.prefixes.map((candidate) => candidate + names.probe).join(' or ')
      throw new ServerError('model_invalid', `${spec.name}: the weights hold no tensor ${probes}`)
    }
    this.#prefix = prefix
    this.#adapted = names.adapted ?? false
    this.#adapters = adapters
    this.#separate = new SeparateAdapters(spec)
    this.#blockSizes = blockSizesOf(spec.config)
  }

  linear(plan: LinearPlan, outputs: number, inputs: number): Linear {
    const { name, part: [index, count] = [0, 1] } = plan
    const path = plan.root === true ? name : this.#prefix + name
    const weight = this.#matrix(path, count * outputs, inputs)
    const bias = plan.bias ? this.#take(`${path}.bias`, [count * outputs]) : undefined
    const from = index * outputs
    const sizes = { outputs: count * outputs, inputs }
    const adapter = this.#adapter(
      path,
      (adapters, find) => linearAdapter(adapters, find, sizes, { from, count: outputs }),
      () => this.#separate.ofLayer(plan, outputs, inputs),
    )
    if (count === 1) return { weight, bias, ...adapter }
    return {
      weight: rowsOf(weight, from, outputs),
      bias: bias && vectorPart(bias, from, outputs),
      ...adapter,
    }
  }

  /** A lookup table whose rows an adapter may change. */
  adaptedTable(name: string, rows: number, width: number): Table {
    const path = this.#prefix + name
    const adapter = this.#adapter<TableAdapter>(
      path,
      (adapters, find) => tableAdapter(adapters, find, { rows, width }),
      () => this.#separate.ofTable(name, rows, width),
    )
    return { ...this.table(name, rows, width), ...adapter }
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
      return body.test(inner) && ![...ignored, ACTIVATION_SCALE].some((pattern) => pattern.test(inner))
    })
    if (unknown.length > 0) {
      const list =
        unknown.slice(0, 5).join(', ') + (unknown.length > 5 ? ` and ${unknown.length - 5} more` : '')
      throw new ServerError(
        'model_invalid',
        `${this.#model}: the weights hold tensors that this architecture lacks: ${list}`,
      )
    }
    const mayBeUnused = (layer: string) =>
      ['', this.#prefix].some((prefix) => rest.includes(`${prefix}${layer}.weight`))
    this.#separate.expectUsed(mayBeUnused)
    return rest
  }

  #isAdapted(path: string): boolean {
    return this.#adapted && Object.hasOwn(this.#tensors, `${path}.${UNADAPTED}`)
  }

  #adapter<A>(
    path: string,
    make: (plan: AdaptersPlan, find: FindPart) => A,
    findSeparate: () => A | undefined,
  ): { readonly adapter?: A } {
    const plan = this.#adapters
    if (plan === undefined || !this.#isAdapted(path)) {
      const adapter = findSeparate()
      return adapter === undefined ? {} : { adapter }
    }
    const find: FindPart = (letter, ...sizes) =>
      this.#take(`${path}.${ADAPTING}${letter}`, [plan.count, ...sizes])
    return { adapter: make(plan, find) }
  }

  #matrix(path: string, rows: number, columns: number): Matrix {
    const name = this.#isAdapted(path) ? `${path}.${UNADAPTED}` : `${path}.weight`
    const values = this.#take(name, [rows, columns], { codes: true })
    return isCode(values.dtype) ? this.#scaled(name, values) : { values, scale: undefined }
  }

  #scaled(name: string, values: TensorRef): Matrix {
    const found = findScale(this.#tensors, name)
    if (found === undefined)
      throw new ServerError('model_invalid', `${this.#model}: tensor ${name}_scale is missing`)
    this.#used.add(found)
    const scale = this.#tensors[found] as TensorRef
    const scaled = withScale(values, scale, this.#blockSizes)
    if (scaled !== undefined) return scaled
    const is = `[${scale.shape.join(', ')}] ${scale.dtype}`
    const of = `[${values.shape.join(', ')}]`
    throw new ServerError(
      'model_invalid',
      `${this.#model}: tensor ${found} ${is} is no scale of ${of}: neither one, nor one a row, nor one a block as config.json says`,
    )
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
    if (isCode(tensor.dtype) && !codes) {
      throw new ServerError(
        'model_invalid',
        `${this.#model}: tensor ${name} is ${tensor.dtype}, which only matrices with scales may be`,
      )
    }
    this.#used.add(name)
    return tensor
  }
}
