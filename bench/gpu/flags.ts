import { parseArgs } from 'node:util'
import type { ShapeName } from '../../tools/random-model/shapes.ts'
import { SHAPES, isShapeName } from '../../tools/random-model/shapes.ts'
import type { Variant } from './variants.ts'
import { VARIANTS, parseVariant } from './variants.ts'

export const PARTS = ['golden', 'speed', 'peer', 'start', 'variants'] as const
export type Part = (typeof PARTS)[number]

export interface Flags {
  readonly cpu: boolean
  readonly quick: boolean
  /** A few golden fixtures of each family only. */
  readonly fewFixtures: boolean
  /** As CUDA counts GPUs; undefined: the first. */
  readonly device: number | undefined
  readonly models: readonly ShapeName[]
  readonly parts: readonly Part[]
  readonly variants: readonly Variant[]
  readonly minutes: number
  readonly python: string
  /** Where the report goes; undefined: bench/results. */
  readonly json: string | undefined
  /** Where models of random weights are made, and found again; undefined: a temporary folder. */
  readonly modelsDir: string | undefined
}

export const USAGE = `npm run gpu:check -- [flags]
  --quick             tiny models, fewer fixtures, 3 minutes
  --cpu               check what can be checked on the CPU
  --device N          which GPU, as CUDA counts them
  --models A,B        of ${Object.keys(SHAPES).join(', ')}
  --only A,B          of ${PARTS.join(', ')}
  --variants A,B      of ${VARIANTS.map(({ name }) => name).join(', ')}; all unless told
  --variant N:K=V,…   another one, by its environment; may be repeated
  --minutes N         what has not begun by then is skipped; 8 unless told
  --python PATH       a Python that has sentence-transformers; python3 unless told
  --json FILE         where the report goes; bench/results/<date>-<device>.json unless told
  --models-dir DIR    where models of random weights are kept for the next run`

/** In order of importance: what no time is left for is at the end. */
const BIG: readonly ShapeName[] = [
  'bge-base',
  'bge-large',
  'bge-small',
  'bge-m3',
  'modernbert-base',
  'qwen3-embedding-0.6b',
]
const TINY = Object.keys(SHAPES)
  .filter(isShapeName)
  .filter((name) => name.startsWith('tiny-'))

/** Undefined where help is asked for. Throws what is wrong. */
export function readFlags(argv: readonly string[]): Flags | undefined {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      quick: { type: 'boolean', default: false },
      cpu: { type: 'boolean', default: false },
      device: { type: 'string' },
      models: { type: 'string' },
      only: { type: 'string' },
      variants: { type: 'string' },
      variant: { type: 'string', multiple: true, default: [] },
      minutes: { type: 'string' },
      python: { type: 'string', default: 'python3' },
      json: { type: 'string' },
      'models-dir': { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  const { cpu, device, python, json } = values
  if (cpu && device !== undefined) throw new Error('--device names a GPU and contradicts --cpu')
  // a processor of a few cores would spend the time on one large model
  const quick = values.quick || cpu
  const known = VARIANTS.filter(({ on }) => on === (cpu ? 'cpu' : 'cuda'))
  const added = values.variant.map((text) => parseVariant(text, cpu ? 'cpu' : 'cuda'))
  return {
    cpu,
    quick,
    fewFixtures: values.quick,
    device: device === undefined ? undefined : readNumber('--device', device, 0),
    models: values.models === undefined ? (quick ? TINY : BIG) : readNames('--models', values.models, MODELS),
    parts: values.only === undefined ? PARTS : readNames('--only', values.only, PARTS),
    variants: [...pickVariants(known, values.variants), ...added],
    minutes: values.minutes === undefined ? (quick ? 3 : 8) : readNumber('--minutes', values.minutes, 1),
    python,
    json,
    modelsDir: values['models-dir'],
  }
}

const MODELS = Object.keys(SHAPES).filter(isShapeName)

function pickVariants(known: readonly Variant[], list: string | undefined): readonly Variant[] {
  if (list === undefined) return known
  const names = readNames(
    '--variants',
    list,
    known.map(({ name }) => name),
  )
  return known.filter(({ name }) => names.includes(name))
}

function readNames<T extends string>(flag: string, list: string, known: readonly T[]): readonly T[] {
  return list.split(',').map((text) => {
    const name = known.find((candidate) => candidate === text)
    if (name === undefined) throw new Error(`${flag}: "${text}" is none of ${known.join(', ')}`)
    return name
  })
}

function readNumber(flag: string, text: string, least: number): number {
  if (!/^\d{1,4}$/.test(text) || Number(text) < least) {
    throw new Error(`${flag}: "${text}" is not a whole number from ${least}`)
  }
  return Number(text)
}
