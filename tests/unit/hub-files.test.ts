/** What RunPod's Hub reads of this repository: a listing that offers a setting which is none would break every endpoint made from it. */
import { existsSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { close, handler } from '../../handler.ts'
import { PLATFORM, SETTINGS } from '../../src/config/settings.ts'
import type { Config } from '../../src/config.ts'
import { loadConfig } from '../../src/config.ts'

afterAll(close)

const ROOT = join(import.meta.dirname, '../..')
/** Where the image keeps the program. */
const IMAGE_FOLDER = '/app'

/** Settings that stand in no listing, and why. */
const NOT_OFFERED: Readonly<Record<string, string>> = {
  BACKEND: 'all its values mean the same',
  EXECUTION_PROVIDER: 'auto takes the GPU that the endpoint is given, and ends the start where it cannot',
  DEVICES: 'auto takes all GPUs that the endpoint is given',
  CPU_SESSIONS: 'the endpoint is given a GPU',
  API_KEY: 'the platform checks the keys of a queue endpoint',
  PORT: 'a queue worker is not reached over HTTP',
  PORT_HEALTH: 'a queue worker is not reached over HTTP',
  INT8_MODE: 'a GPU computes no model in int8',
  INT8_FORCE: 'a GPU computes no model in int8',
  WEBHOOK_HOSTS: 'the platform sends the webhooks of a queue endpoint',
}

/** Pools of cards that ONNX Runtime's CUDA provider has code for (compute capability 8.0, 8.6, 8.9 and 9.0). */
const GPU_POOLS = [
  'AMPERE_16',
  'AMPERE_24',
  'ADA_24',
  'AMPERE_48',
  'ADA_48_PRO',
  'AMPERE_80',
  'ADA_80_PRO',
  'HOPPER_141',
]

const gpuFields = {
  runsOn: z.literal('GPU'),
  gpuCount: z.literal(1),
  // The image has the libraries of CUDA 13, which older drivers cannot run.
  allowedCudaVersions: z.array(z.string().regex(/^1[3-9]\.\d$/)).min(1),
}

const Value = z.union([z.string(), z.number(), z.boolean()])

const Input = z.strictObject({
  name: z.string().min(1),
  type: z.enum(['string', 'number', 'boolean', 'huggingface']),
  description: z.string().min(1),
  default: Value,
  required: z.boolean().optional(),
  advanced: z.boolean().optional(),
  options: z.array(z.strictObject({ label: z.string().min(1), value: z.string() })).optional(),
  min: z.number().optional(),
  max: z.number().optional(),
  trueValue: z.string().optional(),
  falseValue: z.string().optional(),
})

const Hub = z.strictObject({
  title: z.string().min(1),
  description: z.string().min(1),
  type: z.literal('serverless'),
  category: z.enum(['audio', 'embedding', 'language', 'video', 'image']),
  iconUrl: z.url().optional(),
  config: z.strictObject({
    ...gpuFields,
    gpuIds: z
      .string()
      .transform((pools) => pools.split(','))
      .pipe(z.array(z.enum(GPU_POOLS)).min(1)),
    endpointType: z.literal('LB').optional(),
    containerDiskInGb: z.int().positive(),
    presets: z.array(z.strictObject({ name: z.string().min(1), defaults: z.record(z.string(), Value) })),
    // Fixed values ({ key, value }) would become empty texts where runpodctl makes the endpoint.
    env: z.array(z.strictObject({ key: z.string(), input: Input })),
  }),
})

const Tests = z.strictObject({
  tests: z
    .array(
      z.strictObject({
        name: z.string().min(1),
        input: z.record(z.string(), z.unknown()),
        timeout: z.int().positive(),
      }),
    )
    .min(1),
  config: z.strictObject({
    ...gpuFields,
    gpuTypeId: z.string().regex(/^NVIDIA /),
    env: z.array(z.strictObject({ key: z.string(), value: z.string() })),
  }),
})

const hub = Hub.parse(readJson('.runpod/hub.json'))
const tests = Tests.parse(readJson('.runpod/tests.json'))
const inputs = new Map(hub.config.env.map(({ key, input }) => [key, input]))
const platformNames = Object.values(PLATFORM).flatMap(({ names }) => names)
const knownNames = [...Object.values(SETTINGS).flatMap(({ names }) => names), ...platformNames]

describe('hub.json', () => {
  test('every variable is one of ours, and stands there once', () => {
    const keys = hub.config.env.map(({ key }) => key)
    expect(keys.filter((key) => !knownNames.includes(key))).toEqual([])
    expect(keys).toEqual([...new Set(keys)])
  })

  test('every setting is offered, or is not for a reason', () => {
    const stated = [...inputs.keys(), ...Object.keys(NOT_OFFERED)]
    const settings = stated.filter((key) => !platformNames.includes(key))
    expect(settings.toSorted()).toEqual(
      Object.values(SETTINGS)
        .map(({ names }) => names[0])
        .toSorted(),
    )
  })

  test('its defaults are those of the program', () => {
    const defaults = Object.fromEntries(
      [...inputs].map(([key, input]) => [key, textOf(input, input.default)]),
    )
    const { MODEL_NAMES = '', ...others } = defaults
    expect(workerConfig({ MODEL_NAMES, ...others })).toEqual(workerConfig({ MODEL_NAMES }))
    expect(MODEL_NAMES).not.toBe('')
  })

  test.each([...inputs].filter(([, { options }]) => options !== undefined))(
    'every option of %s is accepted, and its default is one of them',
    (key, input) => {
      const values = input.options?.map(({ value }) => value) ?? []
      expect(values).toContain(input.default)
      for (const value of values) expect(() => workerConfig({ [key]: value })).not.toThrow()
    },
  )

  test.each([...inputs].filter(([, { type }]) => type === 'boolean'))(
    'both states of the switch %s are understood',
    (key, { trueValue = '', falseValue = '' }) => {
      expect(workerConfig({ [key]: falseValue })).toEqual(workerConfig({}))
      expect(workerConfig({ [key]: trueValue })).not.toEqual(workerConfig({}))
    },
  )

  test.each([...inputs].filter(([key, { type }]) => type === 'number' && !platformNames.includes(key)))(
    'the bounds of %s are those of the program',
    (key, { min, max }) => {
      const take = (value: number) => () => workerConfig({ [key]: String(value) })
      expect([min, max]).toEqual([expect.any(Number), expect.any(Number)])
      expect(take(min as number)).not.toThrow()
      expect(take(max as number)).not.toThrow()
      expect(take((min as number) - 1)).toThrow(key)
      expect(take((max as number) + 1)).toThrow(key)
    },
  )

  test.each(hub.config.presets)('the preset $name starts a worker', ({ defaults }) => {
    expect(Object.keys(defaults).filter((key) => !inputs.has(key))).toEqual([])
    const texts = Object.entries(defaults).map(([key, value]) => [key, textOf(inputs.get(key), value)])
    const config = workerConfig(Object.fromEntries(texts))
    expect(config.mode).toBe('queue-worker')
    expect(config.models.length).toBeGreaterThan(0)
  })
})

describe('tests.json', () => {
  const env = Object.fromEntries(tests.config.env.map(({ key, value }) => [key, value]))

  test('its environment starts a worker on the model that the image holds', () => {
    const { models } = workerConfig(env)
    const folders = models.map(({ source }) => relative(IMAGE_FOLDER, source))
    expect(folders).toEqual(['models/all-MiniLM-L6-v2-int8'])
    expect(existsSync(join(ROOT, folders[0] as string, 'config.json'))).toBe(true)
    const dockerfile = readFileSync(join(ROOT, 'Dockerfile'), 'utf8')
    expect(dockerfile.match(/^WORKDIR .+$/gm)?.at(-1)).toBe(`WORKDIR ${IMAGE_FOLDER}`)
  })

  test.each(tests.tests)('$name succeeds', async ({ input }) => {
    const output = await handler({ id: 'hub-test', input })
    expect(output).not.toHaveProperty('error')
    // the gateway unwraps a list of one
    const [body] = [output].flat()
    expect(body).toMatchObject({ object: 'list', data: expect.arrayContaining([expect.any(Object)]) })
  })
})

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(join(ROOT, path), 'utf8'))
}

/** What the platform puts into the environment for a value of the form. */
function textOf(input: z.infer<typeof Input> | undefined, value: z.infer<typeof Value>): string {
  if (typeof value === 'boolean') return (value ? input?.trueValue : input?.falseValue) ?? String(value)
  return String(value)
}

function workerConfig(env: Readonly<Record<string, string>>): Config {
  const platform = { RUNPOD_WEBHOOK_GET_JOB: 'http://127.0.0.1/job-take/$ID', MODEL_NAMES: 'org/name' }
  return loadConfig({ ...platform, ...env }, [])
}
