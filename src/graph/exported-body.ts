/** How an exported model is fed, and which of its outputs goes on into the head. */
import { ServerError } from '../errors.ts'
import type { ExportedModel, ExportedValue } from '../model/exported-spec.ts'
import type { ModelSpec } from '../model/spec.ts'
import type { ExportedBody, ExportedInput, InputRole } from './contract.ts'
import { STATES } from './contract.ts'
import type { Shape, Value } from './ir.ts'

const ROLES: Readonly<Record<string, InputRole>> = {
  input_ids: 'padded_ids',
  attention_mask: 'padded_seen',
  token_type_ids: 'padded_types',
  position_ids: 'padded_positions',
}

const COUNTS_FROM_PADDING = /roberta|camembert|mpnet|data2vec|esm|longformer/

/** Whether the first position of a model is that behind the padding token's id (transformers 5.23). */
export function countsFromPadding(modelType: string): boolean {
  return COUNTS_FROM_PADDING.test(modelType)
}

const INTEGERS: Readonly<Record<string, ExportedInput['dtype']>> = { int32: 'i32', int64: 'i64' }
const FLOATS = ['float32', 'float16']

/** What a head begins with. */
type Wanted = 'tokens' | 'vectors' | 'logits'

/** Names of outputs, by what they hold; sentence-transformers' and those of transformers. */
const OUTPUTS: Readonly<Record<Wanted, { readonly names: readonly string[]; readonly rank: number }>> = {
  tokens: { names: ['last_hidden_state', 'token_embeddings', 'hidden_states'], rank: 3 },
  vectors: { names: ['sentence_embedding'], rank: 2 },
  logits: { names: ['logits', 'scores'], rank: 2 },
}

export interface FoundBody extends ExportedBody {
  readonly kind: Wanted
}

/**
 * Throws `model_unsupported` for an input that is not known, or that cannot be of any size, and where no output is what the
 * model's head wants; `model_invalid` where an output contradicts config.json.
 */
export function planBody(spec: ModelSpec, exported: ExportedModel): FoundBody {
  const refuse = (problem: string) =>
    new ServerError('model_unsupported', `${spec.name}: ${exported.name} ${problem}`)
  const inputs = exported.inputs.map((input) => planInput(input, spec, refuse))
  for (const name of ['input_ids', 'attention_mask']) {
    if (inputs.some((input) => input.name === name)) continue
    throw refuse(`has no input ${name}, without which rows of several lengths cannot be told apart`)
  }
  const { kind, output } = findOutput(spec, exported, refuse)
  return {
    inputs,
    kind,
    output: { name: output.name, shape: shapeOf(output, kind, { spec, exported, refuse }) },
  }
}

type Refuse = (problem: string) => ServerError

function planInput(
  { name, type, shape }: ExportedValue,
  { modelType }: ModelSpec,
  refuse: Refuse,
): ExportedInput {
  const role = Object.hasOwn(ROLES, name) ? ROLES[name] : undefined
  if (role === undefined)
    throw refuse(`asks for the input ${name}; only ${Object.keys(ROLES).join(', ')} can be given`)
  if (name === 'position_ids' && countsFromPadding(modelType))
    throw refuse(`asks for the input ${name}, which counts otherwise in models of model_type "${modelType}"`)
  const dtype = Object.hasOwn(INTEGERS, type) ? INTEGERS[type] : undefined
  if (dtype === undefined) throw refuse(`has an input ${name} of ${type}; int64 and int32 can be given`)
  const isFree = shape === undefined || (shape.length === 2 && shape.every((size) => size === undefined))
  if (!isFree)
    throw refuse(`has an input ${name} of the shape ${shown(shape)}; rows and tokens must be of any number`)
  return { name, role, dtype }
}

function findOutput(
  { head }: ModelSpec,
  { outputs }: ExportedModel,
  refuse: Refuse,
): { kind: Wanted; output: ExportedValue } {
  const wanted: readonly Wanted[] = head.kind === 'classification' ? ['logits'] : ['tokens', 'vectors']
  for (const kind of wanted) {
    const { names, rank } = OUTPUTS[kind]
    const named = names.flatMap((name) => outputs.find((output) => output.name === name) ?? [])
    // A name says more than a rank: an exporter may call its only output anything.
    const alone = outputs.filter(({ shape }) => shape?.length === rank)
    const [output] = named.length > 0 || kind === 'vectors' || alone.length !== 1 ? named : alone
    if (output !== undefined) return { kind, output }
  }
  const names = wanted.flatMap((kind) => OUTPUTS[kind].names).join(', ')
  throw refuse(`has the outputs ${outputs.map(({ name }) => name).join(', ')}; one of ${names} is needed`)
}

interface Context {
  readonly spec: ModelSpec
  readonly exported: ExportedModel
  readonly refuse: Refuse
}

function shapeOf(
  { name, type, shape }: ExportedValue,
  kind: Wanted,
  { spec, exported, refuse }: Context,
): Shape {
  if (!FLOATS.includes(type))
    throw refuse(`has an output ${name} of ${type}; float32 and float16 can be read`)
  const { rank } = OUTPUTS[kind]
  if (shape !== undefined && shape.length !== rank)
    throw refuse(`has an output ${name} of the shape ${shown(shape)}; ${rank} dimensions are needed`)
  const width = shape?.at(-1)
  const said = widthSaid(spec, kind)
  if (width !== undefined && said !== undefined && width !== said.width)
    throw new ServerError(
      'model_invalid',
      `${spec.name}: ${exported.name} gives ${width} numbers as ${name}; ${said.where} has ${said.width}`,
    )
  const known = width ?? said?.width
  if (known === undefined) throw refuse(`does not say how many numbers its output ${name} has`)
  return kind === 'tokens' ? ['B', 'S', known] : ['B', known]
}

/** How many numbers there must be, and who says so. */
function widthSaid({ head, config }: ModelSpec, kind: Wanted): { width: number; where: string } | undefined {
  if (head.kind === 'classification') return { width: head.labels.length, where: 'the list of labels' }
  const [key, width] =
    ['hidden_size', 'd_model', 'dim', 'n_embd']
      .map((key) => [key, config[key]] as const)
      .find(([, size]) => typeof size === 'number') ?? []
  return kind === 'tokens' && typeof width === 'number'
    ? { width, where: `${key} of config.json` }
    : undefined
}

function shown(shape: ExportedValue['shape']): string {
  return `[${(shape ?? []).map((size) => size ?? '?').join(', ')}]`
}

/** The input of the graph behind it. */
export function statesOf({ output: { shape } }: ExportedBody): Value {
  return { name: STATES, dtype: 'f32', shape }
}
