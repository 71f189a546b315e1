/** Adapters that have files of their own: finds what they change by name, checks its shape, and remembers what was used. */
import { ServerError } from '../errors.ts'
import type { ModelSpec } from '../model/spec.ts'
import type { LinearAdapter, TableAdapter, TaskPart } from './adapters.ts'
import { separateLinear, separateTables } from './adapters.ts'
import type { LinearPlan } from './layers/encoder-plan.ts'

export class SeparateAdapters {
  readonly #model: string
  readonly #tasks: NonNullable<ModelSpec['adapterParts']>
  readonly #used = new Set<string>()

  constructor({ name, adapterParts = [] }: Pick<ModelSpec, 'name' | 'adapterParts'>) {
    this.#model = name
    this.#tasks = adapterParts
  }

  /** Undefined where no task's adapter changes the layer. Throws `model_invalid` for one of another shape. */
  ofLayer(
    { name, adaptedAs = name }: LinearPlan,
    outputs: number,
    inputs: number,
  ): LinearAdapter | undefined {
    const parts = this.#find(adaptedAs, 'layer', outputs, inputs)
    return parts.length === 0 ? undefined : separateLinear(parts)
  }

  /** Of a table of `rows` rows; as `ofLayer`. */
  ofTable(name: string, rows: number, width: number): TableAdapter | undefined {
    const parts = this.#find(name, 'table', width, rows)
    return parts.length === 0 ? undefined : separateTables(parts)
  }

  /** Throws `model_invalid` for what changes a layer that was not used and may not be left out: the numbers would be wrong. */
  expectUsed(mayBeLeftOut: (layer: string) => boolean): void {
    for (const parts of this.#tasks)
      for (const [layer, { shown }] of Object.entries(parts)) {
        if (this.#used.has(layer) || mayBeLeftOut(layer)) continue
        throw new ServerError('model_invalid', `${this.#model}: ${shown} is no layer of this architecture`)
      }
  }

  #find(layer: string, of: 'layer' | 'table', outputs: number, inputs: number): TaskPart[] {
    const found = this.#tasks.flatMap((parts, task): TaskPart[] => {
      const part = Object.hasOwn(parts, layer) ? parts[layer] : undefined
      return part === undefined ? [] : [[task, part]]
    })
    for (const [, { of: kind, shown, down, up }] of found) {
      if (kind === of && up.shape[0] === outputs && down.shape[1] === inputs) continue
      const is = `a ${kind} of [${up.shape[0]}, ${down.shape[1]}]`
      throw new ServerError(
        'model_invalid',
        `${this.#model}: ${shown} is for ${is}; config.json asks for a ${of} of [${outputs}, ${inputs}]`,
      )
    }
    if (found.length > 0) this.#used.add(layer)
    return found
  }
}
