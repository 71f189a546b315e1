/** What is made of findings: operations counted, cards known by name, marks, tables; and what is started with which flags. */
import { describe, expect, test } from 'vitest'
import { findCard } from '../../../bench/gpu/cards.ts'
import { distance, worst } from '../../../bench/gpu/fixtures.ts'
import { readFlags } from '../../../bench/gpu/flags.ts'
import { countFlops } from '../../../bench/gpu/flops.ts'
import { judge } from '../../../bench/gpu/judge.ts'
import { roundCount } from '../../../bench/gpu/measure-speed.ts'
import type { Surroundings } from '../../../bench/gpu/plan.ts'
import { peerTask, speedTask, startTask, variantTask } from '../../../bench/gpu/plan.ts'
import { formatReport } from '../../../bench/gpu/report.ts'
import { resultName } from '../../../bench/gpu/results.ts'
import type { Row, SpeedFinding } from '../../../bench/gpu/rows.ts'
import { countTokens, makeTexts } from '../../../bench/gpu/texts.ts'
import { VARIANTS, parseVariant } from '../../../bench/gpu/variants.ts'
import type { Shape } from '../../../tools/random-model/shapes.ts'
import { SHAPES } from '../../../tools/random-model/shapes.ts'

describe('operations', () => {
  test('of bge-large at 512 tokens are the textbook sum', () => {
    const { linear, attention } = countFlops(SHAPES['bge-large'], [512])
    expect(linear).toBe(2 * 512 * 24 * (4 * 1024 ** 2 + 2 * 1024 * 4096))
    expect(attention).toBe(24 * 4 * 512 ** 2 * 1024)
  })

  test.each(['tiny-bert', 'tiny-modernbert', 'tiny-qwen3'] as const)(
    'of attention in %s are those of the pairs that see each other, counted one by one',
    (name) => {
      const shape: Shape = SHAPES[name]
      for (const length of [1, 2, 8, 9, 10, 40]) {
        const pairs = sumOf(shape.layers, (layer) =>
          sumOf(length, (from) => sumOf(length, (to) => (sees(shape, layer, from, to) ? 1 : 0))),
        )
        expect(countFlops(shape, [length]).attention).toBe(4 * shape.heads * shape.headWidth * pairs)
      }
    },
  )

  test('of a gated block with few key heads are those of its matrices', () => {
    const { hidden, layers, inner } = SHAPES['qwen3-embedding-0.6b']
    const matrices = 2 * hidden * 16 * 128 + 2 * hidden * 8 * 128 + 3 * hidden * inner
    expect(countFlops(SHAPES['qwen3-embedding-0.6b'], [3, 4]).linear).toBe(2 * 7 * layers * matrices)
  })
})

function sees({ family, window }: Shape, layer: number, from: number, to: number): boolean {
  if (family === 'qwen3') return to <= from
  if (window === undefined || layer % window.globalEvery === 0) return true
  return Math.abs(from - to) <= window.reach
}

function sumOf(count: number, read: (index: number) => number): number {
  return Array.from({ length: count }, (_, index) => read(index)).reduce((sum, value) => sum + value, 0)
}

test.each([
  ['NVIDIA H100 80GB HBM3', 989.5],
  ['NVIDIA H100 PCIe', 756.5],
  ['NVIDIA H100 NVL', 835.5],
  ['NVIDIA H200', 989.5],
  ['NVIDIA H200 NVL', 835.5],
  ['NVIDIA A100-SXM4-80GB', 312],
  ['NVIDIA A10', 125],
  ['NVIDIA A10G', undefined],
  ['NVIDIA L4', 121],
  ['NVIDIA L40', 181.05],
  ['NVIDIA L40S', 362.05],
  ['NVIDIA RTX 6000 Ada Generation', 364.2],
  ['NVIDIA GeForce RTX 4090', 165.2],
  ['NVIDIA GeForce RTX 4090 Laptop GPU', undefined],
  ['Tesla T4', 65],
  ['NVIDIA H100 80GB HBM3 MIG 1g.10gb', undefined],
])('the peak of %s is known by its name: %s', (name, tflops) => {
  expect(findCard(name)?.tflops).toBe(tflops)
})

test('a distance is scaled by large numbers, and a NaN is as far as can be', () => {
  expect(distance([1, 2.5], [1, 2])).toMatchObject({ maxDiff: 0.25 })
  expect(distance([0.5], [0.25])).toMatchObject({ maxDiff: 0.25, minCosine: 1 })
  expect(distance([0, 0], [1, 0])).toMatchObject({ minCosine: -1 })
  expect(distance([1e-3, 0], [0, 0])).toMatchObject({ minCosine: -1 })
  expect(distance([0, -0], [0, 0])).toEqual({ maxDiff: 0, minCosine: 1 })
  for (const actual of [[NaN, 1], [Infinity, 1], [1]]) {
    const far = distance(actual, [0, 1])
    expect(far.maxDiff).toBeGreaterThan(1e9)
    expect(far.minCosine).toBe(-1)
    // findings travel as JSON
    expect(JSON.parse(JSON.stringify(far))).toEqual(far)
  }
  expect(worst([distance([1, 0], [1, 0]), distance([0, 1], [1, 0])])).toEqual({ maxDiff: 1, minCosine: 0 })
})

describe('a finding is a failure', () => {
  const golden = {
    task: 't',
    kind: 'golden',
    family: 'bert',
    fixture: 'f',
    provider: 'cuda',
    cases: 1,
  } as const
  test.each([
    [{ dtype: 'fp32', maxDiff: 3e-5, minCosine: 1 }, true],
    [{ dtype: 'fp32', maxDiff: 1e-5, minCosine: 1 }, false],
    [{ dtype: 'fp16', maxDiff: 1e-3, minCosine: 0.99991 }, false],
    [{ dtype: 'fp16', maxDiff: 1e-3, minCosine: 0.9998 }, true],
    [{ dtype: 'bf16', maxDiff: 1e-2, minCosine: 0.9991 }, false],
    [{ dtype: 'bf16', maxDiff: Number.MAX_VALUE, minCosine: -1 }, true],
    [{ dtype: 'fp16', maxDiff: 1e-2, minCosine: undefined }, true],
    [{ dtype: 'fp16', maxDiff: 1e-3, minCosine: undefined }, false],
    [{ dtype: 'fp16', maxDiff: 0, minCosine: NaN }, true],
    [{ dtype: 'fp32', maxDiff: NaN, minCosine: 1 }, true],
    [{ dtype: 'int4', maxDiff: 0, minCosine: 1 }, true],
  ])('where a fixture misses the mark of its dtype: %o', (fields, isWrong) => {
    expect(judge({ ...golden, dtypeRequested: 'fp16', ...fields }) !== undefined).toBe(isWrong)
  })

  test('where a measurement crashed, but not where it was left out, nor a peer or an experiment', () => {
    const problem = { kind: 'problem', outcome: 'crashed', reason: 'signal SIGSEGV' } as const
    expect(judge({ task: 'speed bge-base', ...problem })).toContain('SIGSEGV')
    expect(judge({ task: 'speed bge-base', ...problem, outcome: 'skipped' })).toBeUndefined()
    expect(judge({ task: 'peer bge-base', ...problem })).toBeUndefined()
    expect(judge({ task: 'variant unfused', ...problem })).toBeUndefined()
  })

  test('where a peer has other vectors', () => {
    const row = { task: 'peer m', kind: 'agreement', peer: 'p', model: 'm', dtype: 'fp16', texts: 8 } as const
    expect(judge({ ...row, minCosine: 0.9995 })).toBeUndefined()
    expect(judge({ ...row, minCosine: 0.99 })).toContain('0.99')
  })
})

const SPEED: { task: string } & SpeedFinding = {
  task: 'speed bge-base',
  kind: 'speed',
  model: 'bge-base',
  dtype: 'fp16',
  provider: 'cuda',
  set: '512',
  batchSize: 256,
  texts: 1024,
  tokens: 524_288,
  seconds: 1,
  fastest: 0.98,
  slowest: 1.02,
  rounds: 3,
  textsPerSecond: 1024,
  tokensPerSecond: 524_288,
  deviceTokensPerSecond: 600_000,
  tflops: 62.4,
  deviceTflops: 156,
}

test('a report has the share of the peak, the best of a peer, variants, and what went wrong once', () => {
  const peer = { ...SPEED, task: 'peer bge-base', peer: 'sentence-transformers', tflops: undefined }
  const rows: Row[] = [
    SPEED,
    { ...peer, batchSize: 32, tokensPerSecond: 100_000 },
    { ...peer, batchSize: 128, tokensPerSecond: 131_072 },
    { ...SPEED, task: 'variant no-flash', variant: 'no-flash', tokensPerSecond: 262_144 },
    { task: 'golden fp16', kind: 'problem', outcome: 'failed', reason: 'no\nkernel', fixture: 'a' },
    { task: 'golden fp16', kind: 'problem', outcome: 'failed', reason: 'no\nkernel', fixture: 'b' },
  ]
  const report = formatReport(rows, findCard('NVIDIA A100-SXM4-80GB'))
  expect(report).toContain('peak 312 TFLOP/s')
  expect(report).toMatch(/bge-base +this +cuda fp16 +512 .* 20\.0 +50\.0 +±2 %/)
  expect(report).toMatch(/512 +4\.00 × +sentence-transformers/)
  expect(report).toMatch(/no-flash +bge-base +cuda fp16 +512 +262144 +0\.50 × +1\.00 ×/)
  expect(report).toContain('  golden fp16: failed: no kernel (a and 1 more)')
  expect(formatReport([{ ...SPEED, dtype: 'fp32' }], findCard('NVIDIA L4'))).toMatch(/156 +– +– +±2 %/)
})

test('a report is named by its day and device', () => {
  const day = new Date('2026-01-31T23:00:00Z')
  expect(resultName(day, 'NVIDIA H100 80GB HBM3')).toBe('2026-01-31-nvidia-h100-80gb-hbm3')
  expect(resultName(day, 'Intel(R) Xeon(R) Processor')).toBe('2026-01-31-intel-xeon-processor')
})

test('texts have the lengths that their set promises', () => {
  const sets = makeTexts({ mixed: 400, '128': 3, '512': 2 })
  const lengths = countTokens(SHAPES['bge-base'], sets.mixed)
  expect(Math.min(...lengths)).toBeGreaterThanOrEqual(5)
  expect(Math.max(...lengths)).toBe(512)
  expect(lengths.toSorted((a, b) => a - b)[200]).toBeGreaterThan(80)
  expect(countTokens(SHAPES['bge-base'], [...sets['128'], ...sets['512']])).toEqual([128, 128, 128, 512, 512])
  expect(countTokens(SHAPES['tiny-qwen3'], sets['128'])).toEqual([127, 127, 127])
})

test('a round has a multiple of 32 texts, at least one and at most all', () => {
  expect([roundCount(100, 512), roundCount(3, 512), roundCount(9000, 512), roundCount(9, 20)]).toEqual([
    96, 32, 512, 20,
  ])
})

describe('on a GPU', () => {
  const flags = readFlags(['--device', '1'])
  if (flags === undefined) throw new Error('there are flags')
  const where: Surroundings = { flags, gpuIndex: 1, gpuId: 'GPU-1', modelsDir: '/m', scratch: '/s' }
  const jobOf = ({ command }: { command: readonly string[] }) => JSON.parse(command[2] ?? '') as object

  test('a model is measured on the GPU that was named, decoders in bf16', () => {
    const settings = { EXECUTION_PROVIDER: 'cuda', DEVICES: '1', DTYPES: 'fp16' }
    expect(jobOf(speedTask('bge-large', where))).toMatchObject({
      gpuId: 'GPU-1',
      folder: '/m/bge-large',
      settings,
    })
    expect(jobOf(speedTask('qwen3-embedding-0.6b', where))).toMatchObject({ settings: { DTYPES: 'bf16' } })
    expect(peerTask('bge-large', where).command.join(' ')).toContain('--dtype fp16 --device cuda:1')
  })

  test('a variant changes the environment that it names and nothing else', () => {
    const variant = VARIANTS.find(({ name }) => name === 'bf16-cudnn')
    if (variant === undefined) throw new Error('the variant is gone')
    const task = variantTask('bge-base', variant, where)
    expect(task.env).toEqual({ ORT_ENABLE_CUDNN_FLASH_ATTENTION: '1' })
    expect(jobOf(task)).toMatchObject({ variant: 'bf16-cudnn', settings: { DTYPES: 'bf16', DEVICES: '1' } })
  })

  test('a first start finds no weights that an earlier measurement converted', () => {
    const caches = [speedTask, startTask].map((plan) => {
      const { settings } = jobOf(plan('bge-base', where)) as { settings: Record<string, string> }
      return settings['CACHE_DIR']
    })
    expect(new Set(caches).size).toBe(2)
  })
})

test('a variant of the command line splits settings of the program from those of its libraries', () => {
  expect(parseVariant('mine:DTYPES=bf16,ORT_X=1', 'cuda')).toMatchObject({
    name: 'mine',
    settings: { DTYPES: 'bf16' },
    env: { ORT_X: '1' },
  })
  expect(() => parseVariant('mine', 'cuda')).toThrow('"mine" is not written as name:KEY=VALUE')
})

test('names of variants are told apart', () => {
  expect(new Set(VARIANTS.map(({ name }) => name)).size).toBe(VARIANTS.length)
})

test.each([
  [['--models', 'bge-huge'], '"bge-huge" is none of bge-small'],
  [['--only', 'speed,all'], '"all" is none of golden'],
  [['--variants', 'tokens-256'], '"tokens-256" is none of no-flash'],
  [['--minutes', '0'], '"0" is not a whole number from 1'],
  [['--cpu', '--device', '0'], 'contradicts --cpu'],
])('flags that are wrong say so: %j', (argv, message) => {
  expect(() => readFlags(argv)).toThrow(message)
})

test('the CPU is spared large models, and kernels that it does not have', () => {
  const flags = readFlags(['--cpu'])
  expect(flags?.models.every((name) => name.startsWith('tiny-'))).toBe(true)
  expect(flags?.variants.map(({ name }) => name)).toEqual(['tokens-256', 'tokens-2048'])
})
