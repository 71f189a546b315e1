/** What chaos asks for, and what must come of it. */

export interface ChaosJob {
  readonly kind: 'run' | 'runsync' | 'openai-float' | 'openai-base64' | 'bad' | 'cancelled'
  readonly texts: readonly string[]
  /** Of a job: its input, or the body of an OpenAI request. */
  readonly input: object
  /** What a bad one must fail with. */
  readonly error?: string
}

const DISTINCT_TEXTS = 200
const WORDS =
  'ash birch cedar dune ember fjord grove heath isle jetty knoll lagoon marsh north oasis pond quarry ridge shore tide'.split(
    ' ',
  )

/** Of twenty jobs. */
const SHARES: readonly (readonly [ChaosJob['kind'], number])[] = [
  ['run', 6],
  ['runsync', 5],
  ['openai-float', 3],
  ['openai-base64', 3],
  ['bad', 2],
  ['cancelled', 1],
]
const KINDS = SHARES.flatMap(([kind, count]) => Array.from({ length: count }, () => kind))

const BAD: readonly Required<Pick<ChaosJob, 'input' | 'error'>>[] = [
  { input: { input: 42 }, error: 'input is 42; it must be a string, a list of strings, or token ids' },
  { input: { input: ['a', 'b', 3] }, error: 'input[2] is 3; every item must be a string' },
  { input: { input: [] }, error: 'input is an empty list; at least one item is needed' },
  { input: { query: 'q', docs: ['a'] }, error: 'no served model can rerank' },
  { input: { openai_route: '/v1/images' }, error: 'route /v1/images is not served' },
]

/** `random` gives numbers in [0, 1). */
export function chaosTexts(random: () => number): string[] {
  return Array.from({ length: DISTINCT_TEXTS }, (_, index) => {
    const words = Array.from({ length: 2 + Math.floor(random() * 10) }, () => pick(WORDS, random))
    return `${index} ${words.join(' ')}`
  })
}

export function chaosJobs(count: number, texts: readonly string[], random: () => number): ChaosJob[] {
  return Array.from({ length: count }, (_, index) => {
    // A step that meets all twenty, mixed.
    const kind = KINDS[(index * 7) % KINDS.length] ?? 'run'
    if (kind === 'bad') return { kind, texts: [], ...pick(BAD, random) }
    const asked = Array.from({ length: 1 + Math.floor(random() * 4) }, () => pick(texts, random))
    return { kind, texts: asked, input: inputOf(kind, asked) }
  })
}

function inputOf(kind: ChaosJob['kind'], texts: readonly string[]): object {
  switch (kind) {
    case 'openai-float':
      return { input: texts, encoding_format: 'float' }
    case 'openai-base64':
      return { input: texts, encoding_format: 'base64' }
    default:
      return { input: texts }
  }
}

function pick<T>(list: readonly T[], random: () => number): T {
  return list[Math.floor(random() * list.length)] as T
}
