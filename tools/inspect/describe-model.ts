import type { ModelReport, TargetReport } from './model-report.ts'
import type { TowerReport } from './tower-report.ts'

const LABEL_WIDTH = 13
/** Names of tensors that nothing uses, of which a language model's head may bring hundreds. */
const UNUSED_SHOWN = 5

/** As a person reads it; the last line is the verdict. */
export function describeModel(report: ModelReport): string {
  const { name, problems } = report
  const rows: (readonly [string, string])[] = [
    ['Model', name],
    ...(report.head.length === 0 ? [] : [['Family', describeFamily(report)] as const]),
    ...describeExported(report),
    ...report.towers.flatMap(describeTower),
    ...labelled('Head', report.head),
    ...describeOutput(report),
    ...(report.head.length === 0 ? [] : labelled('Prompts', describePrompts(report))),
    ...(report.adapters.length === 0 ? [] : [['Adapters', report.adapters.join(', ')] as const]),
    ...describeTokenizer(report),
    ...describeStored(report),
    ...labelled('Memory', report.targets.map(describeTarget)),
    ...(isBuilt(report) ? describeUse(report) : []),
  ]
  const lines = rows.map(([label, text]) => `${label.padEnd(LABEL_WIDTH)}  ${text}`)
  const verdict =
    problems.length === 0
      ? ['This model can be served.']
      : ['This model cannot be served:', ...problems.map((problem) => `- ${problem}`)]
  // Names come from files, and a terminal obeys control characters.
  return [...lines, '', ...verdict].join('\n').replaceAll(/(?!\n)\p{Cc}/gu, '\u{fffd}')
}

/** The label stands before the first line alone. */
function labelled(label: string, lines: readonly string[]): (readonly [string, string])[] {
  return lines.map((line, index) => [index === 0 ? label : '', line])
}

/** Whether there is a graph, of whatever side. */
function isBuilt({ output, towers }: ModelReport): boolean {
  return output !== undefined || towers.some(({ width }) => width !== undefined)
}

function describeTower(tower: TowerReport): (readonly [string, string])[] {
  const { modality, modelType, probe, steps, processing, width, maxTokens } = tower
  const [label, one] = modality === 'image' ? ['Pictures', 'picture'] : ['Sound', 'sound']
  const sizes =
    width === undefined || maxTokens === undefined
      ? []
      : [`${count(width)} numbers a ${one}, of at most ${count(maxTokens)} tokens`]
  const lines = [
    `${modelType}, told by ${probe}`,
    processing,
    ...(steps.length > 0 ? [steps.join('; ')] : []),
  ]
  return labelled(label, [...lines, ...sizes])
}

function describeOutput({ output }: ModelReport): (readonly [string, string])[] {
  if (output === undefined) return []
  const { width, truncatedTo, tokenWidth, maxTokens } = output
  const cut = truncatedTo === undefined ? '' : `, cut to ${truncatedTo}`
  const tokens = tokenWidth === 0 ? '' : `; of each token ${tokenWidth}`
  const texts = `${count(width)} ${width === 1 ? 'number' : 'numbers'} a text${cut}${tokens}`
  return [
    ['Output', width === 0 ? `${count(tokenWidth)} numbers a token` : texts],
    ['Max tokens', Number.isFinite(maxTokens) ? count(maxTokens) : 'no limit'],
  ]
}

function describePrompts({ prompts, defaultPrompt }: ModelReport): string[] {
  const lines = Object.entries(prompts).map(([name, text]) => {
    const mark = name === defaultPrompt ? ', put before every text unless another is asked for' : ''
    return `${name}: ${text === '' ? 'empty' : JSON.stringify(text)}${mark}`
  })
  return lines.length === 0 ? ['none'] : lines
}

function describeTokenizer({ tokenizer, output }: ModelReport): (readonly [string, string])[] {
  if (tokenizer === undefined) return []
  const { file, kind, pieces, addedTokens, normalizer, specialTokens } = tokenizer
  const { joinsPairs, passesTypes, truncationSide, settings } = tokenizer
  const rows = output === undefined ? '' : `, the model has ${count(output.vocabularySize)}`
  const pairs = joinsPairs ? `joined, ${passesTypes ? 'with' : 'without'} token types` : 'not joined'
  return labelled('Tokenizer', [
    `${kind} from ${file}: ${count(pieces)} pieces, ${addedTokens} of them added${rows}`,
    `normalizer: ${normalizer}; an empty text: ${specialTokens.join(' ') || 'no token'}`,
    `pairs: ${pairs}; texts that are too long lose their ${truncationSide === 'left' ? 'beginning' : 'end'}`,
    ...(settings === '' ? [] : [settings]),
  ])
}

function describeStored({ stored }: ModelReport): (readonly [string, string])[] {
  const { files, tensors, numbers, bytes, dtypes } = stored
  // Beside an exported model there need not be any.
  if (tensors === 0) return []
  const where = files === 1 ? '1 file' : `${files} files`
  return [
    [
      'Stored',
      `${count(numbers)} numbers in ${tensors} tensors of ${where}, ${shown(bytes)}: ${describeDtypes(dtypes)}`,
    ],
  ]
}

function describeDtypes(dtypes: Readonly<Record<string, number>>): string {
  return Object.entries(dtypes)
    .map(([dtype, size]) => `${dtype} ${shown(size)}`)
    .join(', ')
}

function describeFamily({ modelType, probe, exported }: ModelReport): string {
  if (exported !== undefined) return `${modelType}, compiled by others`
  return probe === undefined ? `${modelType}, which is unknown here` : `${modelType}, told by ${probe}`
}

function describeExported({ exported }: ModelReport): (readonly [string, string])[] {
  if (exported === undefined) return []
  const { file, dtype, inputs, outputs, bytes, dtypes } = exported
  return labelled('Exported', [
    `${file}, taken for ${dtype}: ${shown(bytes)} of weights: ${describeDtypes(dtypes)}`,
    `inputs ${inputs.join(', ')}; outputs ${outputs.join(', ')}`,
  ])
}

function describeTarget({ target, dtype, weights }: TargetReport): string {
  if (weights === undefined) return `${target.padEnd(9)}  cannot be built`
  const { bytes, asStored } = weights
  return `${target.padEnd(9)}  ${shown(bytes)} of weights in ${dtype}, ${shown(asStored)} of them as the files hold them`
}

function describeUse(report: ModelReport): (readonly [string, string])[] {
  const devices = report.chosen.map(({ device, target }) => `${device}: ${target}`)
  return [...labelled('Runs on', devices), ['Unused', describeUnused(report)]]
}

function describeUnused({ unusedTensors }: ModelReport): string {
  if (unusedTensors.length === 0) return 'no tensor'
  const shown = unusedTensors.slice(0, UNUSED_SHOWN).join(', ')
  const more = unusedTensors.length - UNUSED_SHOWN
  return more > 0 ? `${shown} and ${more} more` : shown
}

function count(value: number): string {
  return value.toLocaleString('en-US')
}

function shown(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(2)} GB`
  return bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e3).toFixed(1)} kB`
}
