/**
 * Chat templates are programs out of model folders, and all models share the thread that runs them: each rendering has so
 * many steps, and no more.
 */
import { Environment, Interpreter, Template } from '@huggingface/jinja'

/** A step is a node evaluated or a character or an item that it gives. Templates of models take some thousands. */
const MAX_STEPS = 250_000

/** Besides, for each character of the texts. */
const STEPS_PER_CHARACTER = 1_000

/** Numbers that `range` gives in one rendering. */
const MAX_RANGE = 10_000

/** A value of the library, which does not export their classes. */
interface RuntimeValue {
  readonly type: string
  readonly value: unknown
}

interface Scope {
  set(name: string, value: unknown): unknown
}

interface Evaluator {
  run(program: unknown): RuntimeValue
  evaluate(node: unknown, scope: Scope): RuntimeValue
}

// The library's declarations of both lead to files that are not found: as far as TypeScript sees, they could be anything.
const LibraryInterpreter = Interpreter as unknown as new (scope: Scope) => Evaluator
const LibraryScope = Environment as unknown as new () => Scope

/**
 * What the template gives for `items`; `characterCount`: of the texts among them. Throws an Error where it takes too many
 * steps, and what the library throws.
 */
export function renderBounded(
  { parsed }: Template,
  items: Readonly<Record<string, unknown>>,
  characterCount: number,
): string {
  const scope = new LibraryScope()
  for (const [name, value] of Object.entries({ ...makeGlobals(), ...items })) scope.set(name, value)
  const steps = MAX_STEPS + STEPS_PER_CHARACTER * characterCount
  return String(new BoundedInterpreter(scope, steps).run(parsed).value)
}

class BoundedInterpreter extends LibraryInterpreter {
  readonly #steps: number
  #left: number
  /** Items of lists and dictionaries, whatever is in them included: a list may hold another any number of times. */
  readonly #sizes = new WeakMap<RuntimeValue, number>()

  constructor(scope: Scope, steps: number) {
    super(scope)
    this.#steps = steps
    this.#left = steps
  }

  override evaluate(node: unknown, scope: Scope): RuntimeValue {
    this.#spend(1)
    const value = super.evaluate(node, scope)
    this.#spend(this.#costOf(value))
    return value
  }

  #spend(steps: number): void {
    this.#left -= steps
    if (!(this.#left >= 0)) throw new Error(`it takes more than ${this.#steps} steps`)
  }

  /** What was made before is only looked at. */
  #costOf(value: RuntimeValue): number {
    if (typeof value.value === 'string') return value.value.length
    const children = childrenOf(value)
    if (this.#sizes.has(value)) return children.length
    const size = this.#sizeOf(value)
    // its members change
    if (value.type === NAMESPACE) this.#sizes.delete(value)
    return size
  }

  #sizeOf(value: RuntimeValue): number {
    if (typeof value.value === 'string') return value.value.length
    const known = this.#sizes.get(value)
    if (known !== undefined) return known
    let size = 1
    for (const child of childrenOf(value)) {
      if (child.type === NAMESPACE)
        throw new Error('a namespace stands in another value, which is not supported')
      size += this.#sizeOf(child)
    }
    this.#sizes.set(value, size)
    return size
  }
}

const NAMESPACE = 'NamespaceValue'

function childrenOf({ value }: RuntimeValue): readonly RuntimeValue[] {
  if (Array.isArray(value)) return value as RuntimeValue[]
  return value instanceof Map ? [...(value as Map<string, RuntimeValue>).values()] : []
}

/** What the library gives every template, but for a `range` without end. */
function makeGlobals(): Record<string, unknown> {
  let numbersLeft = MAX_RANGE
  return {
    true: true,
    True: true,
    false: false,
    False: false,
    none: null,
    None: null,
    raise_exception(message: unknown): never {
      throw new Error(String(message))
    },
    range(first: number, end?: number, step = 1): number[] {
      const [start, stop] = end === undefined ? [0, first] : [first, end]
      const count = Math.max(0, Math.ceil((stop - start) / step))
      numbersLeft -= count
      if (!(numbersLeft >= 0)) throw new Error(`its ranges have more than ${MAX_RANGE} numbers`)
      return Array.from({ length: count }, (_, index) => start + index * step)
    },
    // the library's own, which it does not export
    strftime_now: (format: unknown) => new Template('{{ strftime_now(format) }}').render({ format }),
  }
}
