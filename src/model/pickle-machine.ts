/**
 * Python's pickle format as plain data. A pickle is a program that may name any function of Python to be called; this machine
 * calls nothing but what its caller allows by name, and refuses a pickle at the first other name. Dictionaries become maps.
 */
import { ServerError } from '../errors.ts'

export type PickleValue =
  | undefined
  | boolean
  | number
  | string
  | Uint8Array
  | PickleValue[]
  | Map<PickleValue, PickleValue>
  | PickleGlobal
  | PickleObject

/** A class or function, named and not looked up. */
export class PickleGlobal {
  readonly path: string

  constructor(path: string) {
    this.path = path
  }
}

/** What the caller makes of a call or of a persistent id. */
export interface PickleObject {
  readonly kind: string
}

export interface PickleRules {
  /** What errors call the pickle. */
  readonly name: string
  /** What a class or function of this path is allowed to be; undefined: the pickle is refused. */
  readonly find: (path: string) => PickleGlobal | undefined
  /** What calling it gives. */
  readonly call: (called: PickleGlobal, args: readonly PickleValue[]) => PickleValue
  /** What a persistent id stands for. */
  readonly load: (id: PickleValue) => PickleValue
}

/** Opcodes of protocols 2 to 5 that plain data, tuples, dictionaries and allowed calls need. */
const OPCODES: Readonly<Record<number, (machine: PickleMachine) => void>> = {
  [code('N')]: (machine) => machine.push(undefined),
  0x88: (machine) => machine.push(true),
  0x89: (machine) => machine.push(false),
  [code('J')]: (machine) => machine.push(machine.take(4).readInt32LE()),
  [code('K')]: (machine) => machine.push(machine.takeLength(1)),
  [code('M')]: (machine) => machine.push(machine.takeLength(2)),
  0x8a: (machine) => machine.push(readLong(machine.take(machine.takeLength(1)), machine)),
  [code('G')]: (machine) => machine.push(machine.take(8).readDoubleBE()),
  [code('X')]: (machine) => machine.push(machine.take(machine.takeLength(4)).toString('utf8')),
  0x8c: (machine) => machine.push(machine.take(machine.takeLength(1)).toString('utf8')),
  [code('U')]: (machine) => machine.push(machine.take(machine.takeLength(1)).toString('latin1')),
  [code('T')]: (machine) => machine.push(machine.take(machine.takeLength(4)).toString('latin1')),
  [code('C')]: (machine) => machine.push(machine.take(machine.takeLength(1))),
  [code('B')]: (machine) => machine.push(machine.take(machine.takeLength(4))),

  [code(')')]: (machine) => machine.push([]),
  [code('t')]: (machine) => machine.push(machine.popToMark()),
  0x85: (machine) => machine.push(machine.popSome(1)),
  0x86: (machine) => machine.push(machine.popSome(2)),
  0x87: (machine) => machine.push(machine.popSome(3)),
  [code(']')]: (machine) => machine.push([]),
  [code('l')]: (machine) => machine.push(machine.popToMark()),
  [code('a')]: (machine) => machine.append(machine.popSome(1)),
  [code('e')]: (machine) => machine.append(machine.popToMark()),
  [code('}')]: (machine) => machine.push(new Map()),
  [code('d')]: (machine) => {
    const items = machine.popToMark()
    machine.push(new Map())
    machine.setItems(items)
  },
  [code('s')]: (machine) => machine.setItems(machine.popSome(2)),
  [code('u')]: (machine) => machine.setItems(machine.popToMark()),

  [code('(')]: (machine) => machine.mark(),
  [code('0')]: (machine) => machine.popSome(1),
  [code('1')]: (machine) => machine.popToMark(),
  [code('2')]: (machine) => machine.push(machine.top()),
  [code('q')]: (machine) => machine.remember(machine.takeLength(1)),
  [code('r')]: (machine) => machine.remember(machine.takeLength(4)),
  0x94: (machine) => machine.remember(),
  [code('h')]: (machine) => machine.recall(machine.takeLength(1)),
  [code('j')]: (machine) => machine.recall(machine.takeLength(4)),

  [code('c')]: (machine) => machine.find(machine.takeLine(), machine.takeLine()),
  0x93: (machine) => {
    const [module, name] = machine.popSome(2)
    machine.find(module, name)
  },
  [code('R')]: (machine) => machine.call(),
  0x81: (machine) => machine.call(),
  [code('b')]: (machine) => machine.setState(),
  [code('Q')]: (machine) => machine.load(),

  // the protocol's number, and how long the next part is: neither matters to who has all bytes
  0x80: (machine) => machine.take(1),
  0x95: (machine) => machine.take(8),
}

const STOP = code('.')

/**
 * Of values, marks and entries of the memory, all together: a byte may make a dictionary, which takes a hundred of them. A
 * tensor takes some forty.
 */
const MAX_VALUES = 1_000_000

/** Longer than any that a safe integer needs, as torch.save writes it. */
const MAX_LONG_BYTES = 8

/** The value of a pickle. Throws `model_unsupported` for a name or an opcode outside the rules, `model_invalid` for a broken one. */
export function readPickle(bytes: Buffer, rules: PickleRules): PickleValue {
  const machine = new PickleMachine(bytes, rules)
  for (;;) {
    const at = machine.position
    const opcode = machine.takeLength(1)
    if (opcode === STOP) return machine.result()
    const run = OPCODES[opcode]
    if (run === undefined) {
      const shown = `0x${opcode.toString(16).padStart(2, '0')}`
      throw new ServerError(
        'model_unsupported',
        `${rules.name}: opcode ${shown} at byte ${at} is not supported`,
      )
    }
    run(machine)
  }
}

class PickleMachine {
  readonly #bytes: Buffer
  readonly #rules: PickleRules
  #position = 0
  #stack: PickleValue[] = []
  /** What was on the stack before each mark. */
  readonly #marks: PickleValue[][] = []
  readonly #memory = new Map<number, PickleValue>()
  #made = 0

  constructor(bytes: Buffer, rules: PickleRules) {
    this.#bytes = bytes
    this.#rules = rules
  }

  get position(): number {
    return this.#position
  }

  take(count: number): Buffer {
    const end = this.#position + count
    if (end > this.#bytes.length) throw this.broken('it ends in the middle')
    const taken = this.#bytes.subarray(this.#position, end)
    this.#position = end
    return taken
  }

  takeLength(bytes: number): number {
    return this.take(bytes).readUIntLE(0, bytes)
  }

  takeLine(): string {
    const end = this.#bytes.indexOf('\n', this.#position)
    if (end < 0) throw this.broken('it ends in the middle')
    const line = this.#bytes.toString('utf8', this.#position, end)
    this.#position = end + 1
    return line
  }

  push(value: PickleValue): void {
    this.#count()
    this.#stack.push(value)
  }

  top(): PickleValue {
    if (this.#stack.length === 0) throw this.broken('it takes a value that is not there')
    return this.#stack.at(-1)
  }

  popSome(count: number): PickleValue[] {
    if (this.#stack.length < count) throw this.broken('it takes a value that is not there')
    return this.#stack.splice(this.#stack.length - count)
  }

  mark(): void {
    this.#count()
    this.#marks.push(this.#stack)
    this.#stack = []
  }

  popToMark(): PickleValue[] {
    const before = this.#marks.pop()
    if (before === undefined) throw this.broken('it goes back to a mark that is not there')
    const items = this.#stack
    this.#stack = before
    return items
  }

  append(items: readonly PickleValue[]): void {
    const list = this.top()
    if (!Array.isArray(list)) throw this.broken('it appends to what is no list')
    for (const item of items) list.push(item)
  }

  setItems(items: readonly PickleValue[]): void {
    const target = this.top()
    if (!(target instanceof Map)) throw this.broken('it sets items of what is no dictionary')
    if (items.length % 2 !== 0) throw this.broken('a key has no value')
    for (let i = 0; i < items.length; i += 2) target.set(items[i], items[i + 1])
  }

  remember(index = this.#memory.size): void {
    this.#count()
    this.#memory.set(index, this.top())
  }

  recall(index: number): void {
    if (!this.#memory.has(index)) throw this.broken(`it recalls ${index}, which it has not kept`)
    this.push(this.#memory.get(index))
  }

  find(module: PickleValue, name: PickleValue): void {
    if (typeof module !== 'string' || typeof name !== 'string') throw this.broken('it names what is no name')
    const path = `${module}.${name}`
    const found = this.#rules.find(path)
    if (found === undefined) {
      throw new ServerError(
        'model_unsupported',
        `${this.#rules.name}: it asks for ${path}, which is not run; supported are tensors and the dictionaries that hold them`,
      )
    }
    this.push(found)
  }

  call(): void {
    const [called, args] = this.popSome(2)
    if (!(called instanceof PickleGlobal) || !Array.isArray(args))
      throw this.broken('it calls what is no function')
    this.push(this.#rules.call(called, args))
  }

  /** State of a dictionary, such as the versions of modules that torch hangs on one, says nothing about its items. */
  setState(): void {
    this.popSome(1)
    if (!(this.top() instanceof Map)) throw this.broken('it sets the state of what is no dictionary')
  }

  load(): void {
    this.push(this.#rules.load(this.popSome(1)[0]))
  }

  result(): PickleValue {
    const [value] = this.popSome(1)
    return value
  }

  #count(): void {
    this.#made += 1
    if (this.#made > MAX_VALUES) throw this.broken(`it makes more than ${MAX_VALUES} values`)
  }

  broken(what: string): ServerError {
    return new ServerError('model_invalid', `${this.#rules.name}: ${what} (byte ${this.#position})`)
  }
}

/** Little-endian two's complement. */
function readLong(bytes: Buffer, machine: PickleMachine): number {
  if (bytes.length > MAX_LONG_BYTES)
    throw machine.broken(
      `a number of ${bytes.length} bytes is too large; at most ${MAX_LONG_BYTES} are allowed`,
    )
  const unsigned = bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n)
  const value = BigInt.asIntN(8 * bytes.length, unsigned)
  if (BigInt.asIntN(54, value) !== value) throw machine.broken(`the number ${value} is too large`)
  return Number(value)
}

function code(character: string): number {
  return character.charCodeAt(0)
}
