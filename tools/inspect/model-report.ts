/** What a folder would become: everything that can be known without a session. */
import type { Device } from '../../src/devices/device.ts'
import { CPU } from '../../src/devices/device.ts'
import { messageOf } from '../../src/errors.ts'
import { buildGraph } from '../../src/graph/build.ts'
import { buildTower } from '../../src/graph/build-tower.ts'
import { chooseTarget } from '../../src/graph/choose-target.ts'
import type { CompiledGraph } from '../../src/graph/contract.ts'
import { findFamily } from '../../src/graph/families/registry.ts'
import type { TargetName } from '../../src/graph/target.ts'
import { TARGETS } from '../../src/graph/target.ts'
import type { ModelSpec, TensorRef } from '../../src/model/spec.ts'
import { describeHead, tensorsOf } from './describe-head.ts'
import type { ExportedReport } from './exported-report.ts'
import { reportExported } from './exported-report.ts'
import type { TokenizerReport } from './read-tokenizer.ts'
import { readTokenizer } from './read-tokenizer.ts'
import type { Modality, TowerReport } from './tower-report.ts'
import { MODALITIES, reportTower } from './tower-report.ts'
import type { WeightMemory } from './weight-memory.ts'
import { weightMemory } from './weight-memory.ts'

export interface ModelReport {
  readonly name: string
  readonly modelType: string
  /** The tensor by which the family was told; undefined: it is unknown. */
  readonly probe: string | undefined
  /** What reads pictures or sound. */
  readonly towers: readonly TowerReport[]
  /** Of texts; empty where the model reads none. */
  readonly head: readonly string[]
  readonly prompts: Readonly<Record<string, string>>
  readonly defaultPrompt: string | undefined
  /** Tasks for which the weights have adapters. */
  readonly adapters: readonly string[]
  readonly stored: StoredWeights
  /** Undefined: the folder has weights. */
  readonly exported: ExportedReport | undefined
  /** Undefined: it cannot be read, or the model reads no text. */
  readonly tokenizer: TokenizerReport | undefined
  /** Of texts. Undefined: no graph could be built, or the model reads none. */
  readonly output: OutputReport | undefined
  readonly targets: readonly TargetReport[]
  /** Of a kind of device, what it would run with `DTYPES=auto`. */
  readonly chosen: readonly { readonly device: string; readonly target: TargetName }[]
  readonly unusedTensors: readonly string[]
  /** Why the model cannot be served; empty where it can. */
  readonly problems: readonly string[]
}

export interface StoredWeights {
  readonly files: number
  readonly tensors: number
  readonly numbers: number
  readonly bytes: number
  /** Bytes in each. */
  readonly dtypes: Readonly<Record<string, number>>
}

export interface OutputReport {
  /** Of a vector; of a classifier the labels; 0 where only tokens have vectors. */
  readonly width: number
  readonly truncatedTo: number | undefined
  /** Of the vectors of tokens; 0 where there are none. */
  readonly tokenWidth: number
  readonly maxTokens: number
  readonly vocabularySize: number
}

export interface TargetReport {
  readonly target: TargetName
  readonly provider: string
  readonly dtype: string
  readonly weights: WeightMemory | undefined
  readonly problem: string | undefined
}

/** Kinds of devices that differ in what they compute in. */
const DEVICES: Readonly<Record<string, Device>> = {
  CPU,
  'GPU of compute capability 8.0 or more': gpuOf(80),
  'older GPU': gpuOf(75),
}

export interface Inspection {
  readonly report: ModelReport
  /** Those that could be built, with all sides of the model. */
  readonly graphs: ReadonlyMap<TargetName, SideGraphs>
}

export type SideName = 'text' | Modality
/** In the order of the sides: texts come first. */
export type SideGraphs = ReadonlyMap<SideName, CompiledGraph>

/** Resolves whatever is wrong with the model: `problems` tells it. `targets`: those that are tried. */
export async function inspectModel(
  spec: ModelSpec,
  targets: readonly TargetName[] = targetsOf(spec),
): Promise<Inspection> {
  const problems = new Set<string>()
  const note = (error: unknown): undefined => {
    problems.add(messageOf(error))
  }
  const graphs = new Map<TargetName, SideGraphs>()
  const rows = targets.map((target) => tryTarget(spec, target, graphs))
  const readsText = spec.tokenizer !== undefined
  const tokenizer = spec.tokenizer && (await readTokenizer(spec.tokenizer).catch(note))
  for (const problem of problemsOf(rows)) problems.add(problem)
  const [sides] = graphs.values()
  const graph = sides?.get('text')
  const report = {
    name: spec.name,
    modelType: spec.modelType,
    probe: readsText && spec.exported === undefined ? attempt(() => findFamily(spec).probe, note) : undefined,
    towers: MODALITIES.flatMap(
      (modality) => attempt(() => reportTower(spec, modality, sides?.get(modality)), note) ?? [],
    ),
    head: readsText ? describeHead(spec.head) : [],
    prompts: promptsOf(spec),
    defaultPrompt: spec.defaultPromptName,
    adapters: spec.adapters ?? [],
    stored: storedWeights(spec),
    exported: reportExported(spec),
    tokenizer,
    output: graph && outputOf(spec, graph),
    targets: rows,
    chosen: Object.entries(DEVICES).flatMap(([device, facts]) => {
      const target = attempt(() => chooseTarget(spec, 'auto', facts).target, note)
      return target === undefined ? [] : [{ device, target }]
    }),
    unusedTensors: unusedByAll(sides),
    problems: [...problems],
  }
  return { report, graphs }
}

/** The head of an exported model is float32, whatever the model is. */
function targetsOf({ exported }: ModelSpec): TargetName[] {
  const names = Object.keys(TARGETS) as TargetName[]
  return exported === undefined ? names : names.filter((name) => name.endsWith('-f32'))
}

function tryTarget(spec: ModelSpec, target: TargetName, graphs: Map<TargetName, SideGraphs>): TargetReport {
  const { provider, dtype: own } = TARGETS[target]
  const dtype = spec.exported?.dtype ?? own
  try {
    const sides = buildSides(spec, target)
    graphs.set(target, sides)
    return { target, provider, dtype, weights: memoryOf(spec, sides), problem: undefined }
  } catch (error) {
    return { target, provider, dtype, weights: undefined, problem: messageOf(error) }
  }
}

function buildSides(spec: ModelSpec, target: TargetName): SideGraphs {
  const sides = new Map<SideName, CompiledGraph>()
  if (spec.tokenizer !== undefined) sides.set('text', buildGraph(spec, target))
  for (const modality of MODALITIES)
    if (spec[modality] !== undefined) sides.set(modality, buildTower(spec, modality, target))
  return sides
}

/** An exported model's weights are taken for what the file holds: what ONNX Runtime makes of them only a session would tell. */
function memoryOf(spec: ModelSpec, sides: SideGraphs): WeightMemory {
  const { bytes = 0 } = reportExported(spec) ?? {}
  const own = [...sides.values()].map(({ graph }) => weightMemory(graph))
  const sum = (key: keyof WeightMemory) => own.reduce((total, memory) => total + memory[key], bytes)
  return { bytes: sum('bytes'), asStored: sum('asStored') }
}

/** Each side has no use for the tensors of the others. */
function unusedByAll(sides: SideGraphs | undefined): readonly string[] {
  const [first, ...others] = [...(sides?.values() ?? [])].map(({ unusedTensors }) => unusedTensors)
  return (first ?? []).filter((tensor) => others.every((unused) => unused.includes(tensor)))
}

/** What every target refuses is told once, what some refuse with their names. */
function problemsOf(rows: readonly TargetReport[]): string[] {
  const failed = rows.filter(({ problem }) => problem !== undefined)
  return [...Map.groupBy(failed, ({ problem }) => problem)].map(([problem = '', alike]) =>
    alike.length === rows.length ? problem : `${alike.map(({ target }) => target).join(', ')}: ${problem}`,
  )
}

/** The empty ones that every folder has mean nothing to a classifier. */
function promptsOf({ head, prompts }: ModelSpec): Readonly<Record<string, string>> {
  if (head.kind !== 'classification') return prompts
  return Object.fromEntries(Object.entries(prompts).filter(([, text]) => text !== ''))
}

function outputOf(spec: ModelSpec, graph: CompiledGraph): OutputReport {
  const { head, truncateDimensions, tokenizer } = spec
  const ownTokens = head.kind === 'multi_vector' ? head.rules.document.maxTokens : undefined
  const { vectorWidth, tokenWidth, maxTokens, vocabularySize } = graph
  return {
    width: widthOf(head, vectorWidth),
    truncatedTo: truncateDimensions,
    tokenWidth,
    maxTokens: Math.min(ownTokens ?? tokenizer?.maxTokens ?? Infinity, maxTokens),
    vocabularySize,
  }
}

function widthOf(head: ModelSpec['head'], vectorWidth: number): number {
  if (head.kind === 'multi_vector') return 0
  return head.kind === 'classification' ? head.labels.length : vectorWidth
}

function storedWeights({ tensors, head, image, audio }: ModelSpec): StoredWeights {
  // Pipelines of one head share modules, and names may share numbers.
  const byPlace = new Map<string, TensorRef>()
  for (const tensor of [...Object.values(tensors), ...tensorsOf({ head, image, audio })])
    byPlace.set(`${tensor.file}:${tensor.byteOffset} ${tensor.shape.join()}`, tensor)
  const all = [...byPlace.values()]
  const dtypes: Record<string, number> = {}
  let numbers = 0
  for (const { dtype, byteLength, shape } of all) {
    dtypes[dtype] = (dtypes[dtype] ?? 0) + byteLength
    numbers += shape.reduce((product, size) => product * size, 1)
  }
  return {
    files: new Set(all.map(({ file }) => file)).size,
    tensors: all.length,
    numbers,
    bytes: Object.values(dtypes).reduce((sum, bytes) => sum + bytes, 0),
    dtypes,
  }
}

function attempt<X>(work: () => X, onError: (error: unknown) => undefined): X | undefined {
  try {
    return work()
  } catch (error) {
    return onError(error)
  }
}

function gpuOf(computeCapability: number): Device {
  return { kind: 'cuda', index: 0, name: 'GPU', totalBytes: 0, freeBytes: 0, computeCapability }
}
