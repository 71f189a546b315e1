import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ConfigError, helpText, loadConfig, readDotEnv } from '../../src/config.ts'
import type { Mode } from '../../src/config.ts'
import { FLAGS, MODES, PLATFORM, SETTINGS, shownDefault } from '../../src/config/settings.ts'
import type { Flag, Setting } from '../../src/config/settings.ts'

type Env = Record<string, string | undefined>

const FLAG_ROWS: readonly Flag<unknown>[] = Object.values(FLAGS)
const PLATFORM_ROWS: readonly Setting<unknown>[] = Object.values(PLATFORM)
const SETTING_ROWS: readonly Setting<unknown>[] = Object.values(SETTINGS)

function problemsOf(env: Env, argv: readonly string[] = []): readonly string[] {
  try {
    loadConfig(env, argv)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

function modelsOf(text: string, env: Env = {}) {
  return loadConfig({ MODEL_NAMES: text, ...env }, []).models
}

function namesOf(text: string) {
  return modelsOf(text).map(({ batchSize: _batchSize, dtype: _dtype, ...name }) => name)
}

test('an empty environment gives every default', () => {
  expect(loadConfig({}, [])).toEqual({
    mode: 'local-run',
    models: [{ source: 'models/all-MiniLM-L6-v2-int8', aliases: [], batchSize: 32, dtype: 'auto' }],
    bundledModel: true,
    backend: 'torch',
    queueSize: 48_000,
    maxQueueTokens: 'auto',
    maxConcurrency: 300,
    maxBatchTokens: 'auto',
    executionProvider: 'auto',
    devices: 'auto',
    cpuSessions: 1,
    allowTf32: false,
    hfHubOffline: false,
    cacheMb: 0,
    tokenInput: 'cl100k',
    errorStyle: 'failed',
    strictDtypes: false,
    int8Mode: 'balanced',
    int8Force: false,
    media: {
      urls: 'public',
      maxBytes: 20_000_000,
      maxPixels: 64_000_000,
      maxSeconds: 600,
      timeoutMs: 10_000,
    },
    webhookHosts: [],
    hfEndpoint: 'https://huggingface.co',
    shutdownGraceMs: 30_000,
    refreshWorker: false,
    platform: { pingIntervalMs: 10_000, initTimeoutMs: 420_000 },
    logLevel: 'warn',
    apiHost: '127.0.0.1',
    apiPort: 8000,
    apiConcurrency: 300,
  })
})

test('every variable reaches its field', () => {
  const env = {
    MODEL_NAMES: 'org/a',
    BATCH_SIZES: '64',
    DTYPES: 'fp16',
    BACKEND: 'optimum',
    INFINITY_QUEUE_SIZE: '1000',
    MAX_QUEUE_TOKENS: '2000',
    RUNPOD_MAX_CONCURRENCY: '12',
    MAX_BATCH_TOKENS: '4096',
    EXECUTION_PROVIDER: 'cuda',
    DEVICES: '0;1',
    CPU_SESSIONS: '3',
    ALLOW_TF32: '1',
    API_KEY: 'key',
    PORT: '80',
    PORT_HEALTH: '81',
    HF_HOME: '/runpod-volume',
    HF_TOKEN: 'hf_x',
    HF_ENDPOINT: 'https://mirror.example.com/hub',
    HF_HUB_OFFLINE: '1',
    CACHE_DIR: '/cache',
    CACHE_MB: '256',
    TOKEN_INPUT: 'native',
    ERROR_STYLE: 'incumbent',
    INT8_MODE: 'fast',
    INT8_FORCE: '1',
    STRICT_DTYPES: 'yes',
    MEDIA_URLS: 'Pictures.example.org, *.example.com:8080',
    MEDIA_MAX_MB: '5',
    MEDIA_MAX_PIXELS: '1000000',
    MEDIA_MAX_SECONDS: '30',
    MEDIA_TIMEOUT_SECONDS: '3',
    WEBHOOK_HOSTS: 'hooks.example.com; localhost:9000',
    SHUTDOWN_GRACE_SECONDS: '5',
    REFRESH_WORKER: '1',
    BUCKET_ENDPOINT_URL: 'https://s3.example.com/',
    BUCKET_NAME: 'results',
    BUCKET_ACCESS_KEY_ID: 'id',
    BUCKET_SECRET_ACCESS_KEY: 'secret',
    LOG_LEVEL: 'WARN',
    RUNPOD_WEBHOOK_GET_JOB: 'https://api.example.com/v2/ep/job-take/$ID',
    RUNPOD_WEBHOOK_POST_OUTPUT: 'https://api.example.com/v2/ep/job-done/$RUNPOD_POD_ID/$ID',
    RUNPOD_WEBHOOK_PING: 'https://api.example.com/v2/ep/ping/$RUNPOD_POD_ID',
    RUNPOD_PING_INTERVAL: '4000',
    RUNPOD_AI_API_KEY: 'rk',
    RUNPOD_POD_ID: 'pod',
    RUNPOD_ENDPOINT_ID: 'ep',
    RUNPOD_GPU_TYPE_ID: 'NVIDIA RTX A5000',
    RUNPOD_INIT_TIMEOUT: '800',
  }
  const rowNames = [...SETTING_ROWS, ...PLATFORM_ROWS].map((row) => row.names[0])
  expect(Object.keys(env).sort()).toEqual([...rowNames].sort())
  expect(loadConfig(env, [])).toEqual({
    mode: 'queue-worker',
    models: [{ source: 'org/a', aliases: [], batchSize: 64, dtype: 'fp16' }],
    bundledModel: false,
    backend: 'optimum',
    queueSize: 1000,
    maxQueueTokens: 2000,
    maxConcurrency: 12,
    maxBatchTokens: 4096,
    executionProvider: 'cuda',
    devices: [0, 1],
    cpuSessions: 3,
    allowTf32: true,
    apiKey: 'key',
    port: 80,
    portHealth: 81,
    hfHome: '/runpod-volume',
    hfToken: 'hf_x',
    hfHubOffline: true,
    cacheDir: '/cache',
    cacheMb: 256,
    tokenInput: 'native',
    errorStyle: 'incumbent',
    strictDtypes: true,
    int8Mode: 'fast',
    int8Force: true,
    media: {
      urls: ['pictures.example.org', '*.example.com:8080'],
      maxBytes: 5_000_000,
      maxPixels: 1_000_000,
      maxSeconds: 30,
      timeoutMs: 3000,
    },
    webhookHosts: ['hooks.example.com', 'localhost:9000'],
    hfEndpoint: 'https://mirror.example.com/hub',
    shutdownGraceMs: 5000,
    refreshWorker: true,
    bucket: { url: 'https://s3.example.com/results', accessKeyId: 'id', secretAccessKey: 'secret' },
    platform: {
      takeUrl: 'https://api.example.com/v2/ep/job-take/$ID',
      doneUrl: 'https://api.example.com/v2/ep/job-done/$RUNPOD_POD_ID/$ID',
      pingUrl: 'https://api.example.com/v2/ep/ping/$RUNPOD_POD_ID',
      pingIntervalMs: 4000,
      apiKey: 'rk',
      workerId: 'pod',
      endpointId: 'ep',
      gpuTypeId: 'NVIDIA RTX A5000',
      initTimeoutMs: 800_000,
    },
    logLevel: 'warn',
    apiHost: '127.0.0.1',
    apiPort: 80,
    apiConcurrency: 12,
  })
})

test('a bucket without its keys is a problem', () => {
  expect(
    problemsOf({ BUCKET_ENDPOINT_URL: 'https://b.s3.example.com', BUCKET_ACCESS_KEY_ID: 'id' }, []),
  ).toEqual(['BUCKET_ENDPOINT_URL: needs BUCKET_ACCESS_KEY_ID and BUCKET_SECRET_ACCESS_KEY beside it'])
})

test.each(['0', '-5', 'soon', 'Infinity'])('a heartbeat interval of %j falls back', (interval) => {
  expect(loadConfig({ RUNPOD_PING_INTERVAL: interval }, []).platform.pingIntervalMs).toBe(10_000)
})

test('heartbeats are at least a second apart', () => {
  expect(loadConfig({ RUNPOD_PING_INTERVAL: '20' }, []).platform.pingIntervalMs).toBe(1000)
})

test('an empty or blank variable counts as unset, whichever it is', () => {
  const names = [...SETTING_ROWS.flatMap((row) => row.names), ...MODES.flatMap((row) => row.triggers)]
  const variables = names.filter((name) => !name.startsWith('-'))
  for (const blank of ['', '  ']) {
    const env = Object.fromEntries(variables.map((name) => [name, blank]))
    expect(loadConfig(env, [])).toEqual(loadConfig({}, []))
  }
})

test('a variable that nobody knows is ignored', () => {
  expect(loadConfig({ PATH: '/bin', MODEL_NAME: 'org/a' }, [])).toEqual(loadConfig({}, []))
})

test('the config is frozen to its depths', () => {
  const config = loadConfig({ MODEL_NAMES: 'x=org/a', DEVICES: '0', WEBHOOK_HOSTS: 'a' }, [])
  const parts = [
    config,
    config.models,
    config.models[0],
    config.models[0]?.aliases,
    config.devices,
    config.webhookHosts,
  ]
  expect(parts.map((part) => Object.isFrozen(part))).toEqual(parts.map(() => true))
})

test('all problems are listed at once, in the message too', () => {
  const env = {
    MODEL_NAMES: 'org/a;;org/b@',
    BATCH_SIZES: 'abc',
    DTYPES: 'fp17',
    PORT: '70000',
    BACKEND: 'tensorrt',
    HF_HUB_OFFLINE: 'maybe',
  }
  const problems = problemsOf(env, ['--rp_api_port', 'x', '--nonsense'])
  expect([...problems].sort()).toEqual(
    [
      '--nonsense: unknown flag; --help lists them',
      '--rp_api_port: "x" is not a whole number from 0 to 65535',
      'BACKEND: "tensorrt" is not one of torch, optimum, ctranslate2',
      'BATCH_SIZES: "abc" is not a whole number from 1 to 8192',
      'DTYPES: "fp17" is not one of auto, fp32, fp16, bf16, int8, fp8, float32, float16, half, bfloat16',
      'HF_HUB_OFFLINE: "maybe" is not 1, 0, true, false, yes or no',
      'MODEL_NAMES: "org/b@" needs a revision without spaces after the @',
      'MODEL_NAMES: entry 2 is empty',
      'PORT: "70000" is not a whole number from 0 to 65535',
    ].sort(),
  )
  const error = new ConfigError(problems)
  expect(error.message).toBe(problems.join('\n'))
  expect(error.name).toBe('ConfigError')
})

test.each([
  ['org/name', { source: 'org/name', aliases: [] }],
  ['gpt2', { source: 'gpt2', aliases: [] }],
  ['org/name@v1.5', { source: 'org/name', revision: 'v1.5', aliases: [] }],
  ['gpt2@refs/pr/3', { source: 'gpt2', revision: 'refs/pr/3', aliases: [] }],
  ['/data/a@b', { source: '/data/a@b', aliases: [] }],
  ['./x@y', { source: './x@y', aliases: [] }],
  ['../x@y', { source: '../x@y', aliases: [] }],
  ['~/x@y', { source: '~/x@y', aliases: [] }],
  ['models/deep/x@y', { source: 'models/deep/x@y', aliases: [] }],
  ['/data/a=b, c', { source: '/data/a=b, c', aliases: [] }],
  ['C:\\models\\a', { source: 'C:\\models\\a', aliases: [] }],
  ['a=org/name', { source: 'org/name', aliases: ['a'] }],
  [' a , b = org/name@v1 ', { source: 'org/name', revision: 'v1', aliases: ['a', 'b'] }],
  ['openai/small=/data/a=b@c', { source: '/data/a=b@c', aliases: ['openai/small'] }],
])('the model entry %j is understood', (text, name) => {
  expect(namesOf(text)).toStrictEqual([name])
})

test.each([
  ['org/a@', '"org/a@" needs a revision without spaces after the @'],
  ['org/a@v 1', '"org/a@v 1" needs a revision without spaces after the @'],
  ['=org/a', '"=org/a" has an alias that is empty or has a space inside'],
  ['a,,b=org/a', '"a,,b=org/a" has an alias that is empty or has a space inside'],
  ['a b=org/a', '"a b=org/a" has an alias that is empty or has a space inside'],
  ['a=', '"a=" has no model after the ='],
  ['org/a,org/b', '"org/a,org/b" is not a hub name or a path; put ./ before a path, and ; between models'],
  [
    'https://hf.co/a',
    '"https://hf.co/a" is not a hub name or a path; put ./ before a path, and ; between models',
  ],
  [';org/a', 'entry 1 is empty'],
  ['org/a; ;org/b', 'entry 2 is empty'],
  ['org/a;org/a', '"org/a" is the name of more than one model'],
  ['org/a@v1;org/a@v2', '"org/a" is the name of more than one model'],
  ['x=org/a;x=org/b', '"x" is the name of more than one model'],
  ['org/b=org/a;org/b', '"org/b" is the name of more than one model'],
])('the model list %j is a problem', (text, problem) => {
  expect(problemsOf({ MODEL_NAMES: text })).toEqual([`MODEL_NAMES: ${problem}`])
})

test('empty entries at the end of a list are dropped and items are trimmed', () => {
  const models = modelsOf(' org/a ; org/b ; ;', { BATCH_SIZES: ' 8 ; 16 ;' })
  expect(models.map((model) => [model.source, model.batchSize])).toEqual([
    ['org/a', 8],
    ['org/b', 16],
  ])
  expect(loadConfig({ MODEL_NAMES: ' ; ;' }, []).bundledModel).toBe(true)
})

test('one batch size and one dtype hold for every model', () => {
  const models = modelsOf('org/a;org/b', { BATCH_SIZES: '8;', DTYPES: 'int8' })
  expect(models.map((model) => [model.batchSize, model.dtype])).toEqual([
    [8, 'int8'],
    [8, 'int8'],
  ])
})

test('one value per model goes to its model', () => {
  const models = modelsOf('org/a;org/b', { BATCH_SIZES: '8;16', DTYPES: 'fp32;fp16' })
  expect(models.map((model) => [model.batchSize, model.dtype])).toEqual([
    [8, 'fp32'],
    [16, 'fp16'],
  ])
})

test('any other number of values is a problem that names both counts', () => {
  expect(problemsOf({ MODEL_NAMES: 'a;b;c', BATCH_SIZES: '8;16', DTYPES: 'fp32;fp32;fp32;fp32' })).toEqual([
    'BATCH_SIZES: has 2 values for 3 models; give one value for all, or one per model',
    'DTYPES: has 4 values for 3 models; give one value for all, or one per model',
  ])
  expect(problemsOf({ BATCH_SIZES: '8;16' })).toEqual([
    'BATCH_SIZES: has 2 values for 1 model; give one value for all, or one per model',
  ])
})

test('an empty entry in the middle of a list is a problem', () => {
  expect(problemsOf({ MODEL_NAMES: 'a;b;c', BATCH_SIZES: '8;;16' })).toEqual([
    'BATCH_SIZES: entry 2 is empty',
  ])
  expect(problemsOf({ WEBHOOK_HOSTS: ';a' })).toEqual(['WEBHOOK_HOSTS: entry 1 is empty'])
})

test.each([
  ['auto', 'auto'],
  ['fp32', 'fp32'],
  ['FLOAT32', 'fp32'],
  ['fp16', 'fp16'],
  ['float16', 'fp16'],
  ['Half', 'fp16'],
  ['bf16', 'bf16'],
  ['BFloat16', 'bf16'],
  ['INT8', 'int8'],
  ['fp8', 'fp8'],
])('the dtype %s means %s', (text, dtype) => {
  expect(modelsOf('org/a', { DTYPES: text })[0]?.dtype).toBe(dtype)
})

test.each(['1', 'true', 'YES', '0', 'False', 'no'])('%s is a truth value in any case', (text) => {
  const config = loadConfig({ HF_HUB_OFFLINE: text, STRICT_DTYPES: text }, [])
  const expected = ['1', 'true', 'YES'].includes(text)
  expect([config.hfHubOffline, config.strictDtypes]).toEqual([expected, expected])
})

test.each([
  ['BATCH_SIZES', 1, 8192],
  ['INFINITY_QUEUE_SIZE', 1, 100_000_000],
  ['RUNPOD_MAX_CONCURRENCY', 1, 100_000],
  ['PORT_HEALTH', 0, 65_535],
  ['CACHE_MB', 0, 1_048_576],
])('%s takes whole numbers from %i to %i and nothing else', (name, min, max) => {
  expect(problemsOf({ [name]: String(min) })).toEqual([])
  expect(problemsOf({ [name]: String(max) })).toEqual([])
  for (const wrong of [
    String(min - 1),
    String(max + 1),
    '1.5',
    '1e2',
    '0x10',
    '12abc',
    'NaN',
    '9'.repeat(400),
  ]) {
    expect(problemsOf({ [name]: wrong }), wrong).toEqual([
      expect.stringMatching(new RegExp(`^${name}: ".*" is not a whole number from ${min} to ${max}$`)),
    ])
  }
})

test('MAX_BATCH_TOKENS is auto or a whole number', () => {
  expect(loadConfig({ MAX_BATCH_TOKENS: 'AUTO' }, []).maxBatchTokens).toBe('auto')
  expect(problemsOf({ MAX_BATCH_TOKENS: 'many' })).toEqual([
    'MAX_BATCH_TOKENS: "many" is not auto or a whole number from 1 to 16777216',
  ])
})

test.each([
  ['BACKEND', 'torch, optimum, ctranslate2'],
  ['EXECUTION_PROVIDER', 'auto, cpu, cuda'],
  ['TOKEN_INPUT', 'cl100k, native, reject'],
  ['ERROR_STYLE', 'failed, incumbent'],
  ['LOG_LEVEL', 'error, warn, info, debug'],
])('%s takes one of %s, in any case', (name, words) => {
  for (const word of words.split(', ')) expect(problemsOf({ [name]: word.toUpperCase() })).toEqual([])
  expect(problemsOf({ [name]: 'other' })).toEqual([`${name}: "other" is not one of ${words}`])
})

test.each([
  ['auto', 'auto'],
  ['CPU', 'cpu'],
  ['0', [0]],
  ['1; 0', [1, 0]],
  ['0,2', [0, 2]],
])('DEVICES=%s means %j', (text, devices) => {
  expect(loadConfig({ DEVICES: text }, []).devices).toEqual(devices)
})

test.each([
  ['gpu', '"gpu" is not auto, cpu or a whole number from 0 to 63'],
  ['0;64', '"64" is not auto, cpu or a whole number from 0 to 63'],
  ['1;1', '"1;1" names a GPU twice'],
])('DEVICES=%s is a problem', (text, problem) => {
  expect(problemsOf({ DEVICES: text })).toEqual([`DEVICES: ${problem}`])
})

test('devices that contradict the execution provider are a problem', () => {
  expect(problemsOf({ EXECUTION_PROVIDER: 'cuda', DEVICES: 'cpu' })).toEqual([
    'DEVICES: "cpu" contradicts EXECUTION_PROVIDER=cuda',
  ])
  expect(problemsOf({ EXECUTION_PROVIDER: 'cpu', DEVICES: '0;1' })).toEqual([
    'DEVICES: "0;1" names GPUs and contradicts EXECUTION_PROVIDER=cpu',
  ])
  expect(problemsOf({ EXECUTION_PROVIDER: 'cpu', DEVICES: 'cpu' })).toEqual([])
})

test('media are fetched from public hosts, from none, or from those that are listed', () => {
  const urlsOf = (text: string) => loadConfig({ MEDIA_URLS: text }, []).media.urls
  expect(urlsOf('Public')).toBe('public')
  expect(urlsOf('off')).toBe('off')
  expect(urlsOf('a.example;*.b.example, [::1]:9,10.0.0.7')).toEqual([
    'a.example',
    '*.b.example',
    '[::1]:9',
    '10.0.0.7',
  ])
  for (const wrong of ['https://a.b', '*', 'a.*.b', 'a b', '*a.b']) {
    expect(problemsOf({ MEDIA_URLS: wrong })).toEqual([
      `MEDIA_URLS: "${wrong}" is not public, off or a host such as example.org, example.org:8080 or *.example.org`,
    ])
  }
})

test('webhook hosts are hosts, not addresses', () => {
  const { webhookHosts } = loadConfig({ WEBHOOK_HOSTS: 'Hooks.Example.com;my_service:80;[::1]:9;' }, [])
  expect(webhookHosts).toEqual(['hooks.example.com', 'my_service:80', '[::1]:9'])
  expect(problemsOf({ WEBHOOK_HOSTS: 'https://a.b' })).toEqual([
    'WEBHOOK_HOSTS: "https://a.b" is not a host such as hooks.example.com or localhost:9000',
  ])
})

test('API_KEY wins over INFINITY_API_KEY, an empty one does not', () => {
  expect(loadConfig({ API_KEY: 'a', INFINITY_API_KEY: 'b' }, []).apiKey).toBe('a')
  expect(loadConfig({ API_KEY: '', INFINITY_API_KEY: 'b' }, []).apiKey).toBe('b')
})

test('the newline at the end of a secret file is no part of the secret', () => {
  const config = loadConfig({ API_KEY: 'a b\n', HF_TOKEN: ' hf_x\r\n' }, [])
  expect([config.apiKey, config.hfToken]).toEqual(['a b', 'hf_x'])
})

test.each(['API_KEY', 'INFINITY_API_KEY', 'HF_TOKEN'])(
  'a problem with %s does not show its value',
  (name) => {
    const error = problemsOf({ [name]: 'sesame\nöffne' })
    expect(error).toEqual([`${name}: its value (not shown) is not made of printable ASCII characters`])
  },
)

test('a secret among unknown flags is not shown', () => {
  const argv = ['--api_key', 'sesame', '--hf-token=sesame', '--secret', '=', 'sesame']
  const problems = problemsOf({}, argv)
  expect(problems).toHaveLength(4)
  expect(problems.join()).not.toContain('sesame')
})

test('a long value is cut in the problem', () => {
  const [problem = ''] = problemsOf({ BACKEND: 'x'.repeat(5000) })
  expect(problem.length).toBeLessThan(150)
})

const QUEUE = { RUNPOD_WEBHOOK_GET_JOB: 'https://queue' }
const SERVER = { PORT: '80', RUNPOD_POD_ID: 'pod', RUNPOD_ENDPOINT_ID: 'endpoint' }

test.each<[Mode, Env, string[]]>([
  ['help', { ...QUEUE, ...SERVER }, ['--test_input', '{}', '--rp_serve_api', '--help']],
  ['help', {}, ['-h']],
  ['test-input', { ...QUEUE, ...SERVER }, ['--rp_serve_api', '--test_input', '{}']],
  ['serve-api', { ...QUEUE, ...SERVER }, ['--rp_serve_api']],
  ['queue-worker', { ...QUEUE, ...SERVER }, []],
  ['http-server', SERVER, []],
  ['http-server', { PORT: '80' }, []],
  ['http-server', { RUNPOD_POD_ID: 'pod' }, []],
  ['http-server', { RUNPOD_ENDPOINT_ID: 'endpoint' }, []],
  ['local-run', { PORT_HEALTH: '81' }, ['--rp_debugger', '--rp_log_level', 'DEBUG']],
])('the mode is %s with %j and the flags %j', (mode, env, argv) => {
  expect(loadConfig({ MODEL_NAMES: 'org/a', ...env }, argv).mode).toBe(mode)
})

test('a worker or server without a model is a problem, with every other one beside it', () => {
  expect(problemsOf({ ...QUEUE, BATCH_SIZES: '1;2', CACHE_MB: 'x' })).toEqual([
    'MODEL_NAMES: names no model; the mode queue-worker needs one, such as BAAI/bge-small-en-v1.5',
    'CACHE_MB: "x" is not a whole number from 0 to 1048576',
  ])
  expect(problemsOf({ PORT: '80', MODEL_NAMES: ';' })).toEqual([
    'MODEL_NAMES: names no model; the mode http-server needs one, such as BAAI/bge-small-en-v1.5',
  ])
})

test.each([[[]], [['--rp_serve_api']], [['--test_input', '{}']]])(
  'the flags %j serve the bundled model when none is named',
  (argv: string[]) => {
    const config = loadConfig({ PORT: argv.length > 0 ? '80' : '', BATCH_SIZES: '4', DTYPES: 'int8' }, argv)
    expect(config.bundledModel).toBe(true)
    expect(config.models).toEqual([
      { source: 'models/all-MiniLM-L6-v2-int8', aliases: [], batchSize: 4, dtype: 'int8' },
    ])
    expect(loadConfig({ MODEL_NAMES: 'org/a' }, argv).bundledModel).toBe(false)
  },
)

test('help answers even when everything else is wrong', () => {
  expect(loadConfig({ BACKEND: 'x', ...QUEUE }, ['--nonsense', '--help', '--test_input']).mode).toBe('help')
})

test('a flag takes its value after a space or an equals sign', () => {
  const job = '{"input":{"input":"a=b"}}'
  expect(loadConfig({}, ['--test_input', job]).testInput).toBe(job)
  expect(loadConfig({}, [`--test_input=${job}`]).testInput).toBe(job)
  const flags = ['--rp_serve_api', '--rp_api_host=0.0.0.0', '--rp_api_port', '9000', '--rp_api_concurrency=7']
  expect(loadConfig({ PORT: '80' }, flags)).toMatchObject({
    apiHost: '0.0.0.0',
    apiPort: 9000,
    apiConcurrency: 7,
    port: 80,
    maxConcurrency: 300,
  })
})

test('the last of two equal flags wins', () => {
  expect(loadConfig({}, ['--rp_api_port=1', '--rp_api_port=2']).apiPort).toBe(2)
})

test('a run of one job logs no less than it is asked to, and warnings where nothing is asked', () => {
  const oneJob = ['--test_input', '{}']
  expect(loadConfig({}, oneJob).logLevel).toBe('warn')
  expect(loadConfig({ LOG_LEVEL: 'info' }, oneJob).logLevel).toBe('info')
  expect(loadConfig({ LOG_LEVEL: 'info' }, []).logLevel).toBe('info')
  expect(loadConfig({}, ['--rp_serve_api']).logLevel).toBe('info')
})

test('--rp_log_level wins over LOG_LEVEL', () => {
  expect(loadConfig({ LOG_LEVEL: 'error' }, ['--rp_log_level', 'Debug']).logLevel).toBe('debug')
  expect(problemsOf({}, ['--rp_log_level', 'loud'])).toEqual([
    '--rp_log_level: "loud" is not one of error, warn, info, debug',
  ])
})

test.each([
  [['--test-input', '{}'], '--test-input: unknown flag; did you mean --test_input?'],
  [['--rp_serve'], '--rp_serve: unknown flag; --help lists them'],
  [['--rp_api_port=1', 'word'], 'a word among the flags belongs to none of them; quote values with spaces'],
  [['word'], 'a word among the flags belongs to none of them; quote values with spaces'],
  [['--rp_api_port'], '--rp_api_port: needs a value, --rp_api_port NUMBER'],
  [['--rp_api_port', '--rp_serve_api'], '--rp_api_port: needs a value, --rp_api_port NUMBER'],
  [['--rp_api_port', '-1'], '--rp_api_port: "-1" is not a whole number from 0 to 65535'],
  [['--rp_api_host', 'a b'], '--rp_api_host: "a b" is not a host name or an IP address'],
  [['--rp_debugger=1'], '--rp_debugger: takes no value'],
  [['--test_input', ''], '--test_input: needs a value, --test_input JSON'],
])('the flags %j are a problem', (argv, problem) => {
  expect(problemsOf({}, argv)).toEqual([problem])
})

test('a .env file is read with its quotes, comments and Windows line ends', () => {
  const text = '\uFEFFA=1\r\n# note\r\nB="x y" # note\r\nexport C=\'q#1\'\r\nD=\r\nMODEL_NAMES=a;b=c\r\n'
  expect(readDotEnv(text)).toEqual({ A: '1', B: 'x y', C: 'q#1', D: '', MODEL_NAMES: 'a;b=c' })
  expect(readDotEnv('')).toEqual({})
})

test('the help text tells every variable with default and meaning', () => {
  const words = helpText().replaceAll(/\s+/g, ' ')
  for (const row of SETTING_ROWS) {
    expect(words).toContain(` ${row.names.join(', ')} ${row.meaning} default: ${shownDefault(row)} `)
  }
})

test('the help text tells every flag and mode', () => {
  const help = helpText()
  for (const row of FLAG_ROWS) expect(help).toMatch(new RegExp(`^  ${row.names[0]}\\b`, 'm'))
  for (const row of MODES) expect(help.replaceAll(/\s+/g, ' ')).toContain(row.does)
})

test('the help text fits 100 columns and shows examples', () => {
  const lines = helpText().split('\n')
  expect(lines.filter((line) => line.length > 100)).toEqual([])
  expect(lines.slice(lines.indexOf('Examples:') + 1)).toEqual([
    '  npm start',
    '  node handler.ts --rp_serve_api',
    `  node handler.ts --test_input '{"input":{"input":"Hello world"}}'`,
    `  MODEL_NAMES='bge=/models/bge-small-en-v1.5;/models/ms-marco-MiniLM-L6-v2' node handler.ts`,
    '',
  ])
})

test('every default is a value that its own variable accepts', () => {
  for (const row of SETTING_ROWS) {
    if (row.unset !== undefined || shownDefault(row) === 'none') continue
    expect(row.read(shownDefault(row), expect.unreachable), row.names[0]).toEqual(row.fallback)
  }
})

const DOCUMENT = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8')
const DOCUMENT_ROWS = DOCUMENT.split('\n').filter((line) => line.startsWith('|'))

function code(names: readonly string[]): string {
  return names.map((name) => `\`${name}\``).join(', ')
}

test('docs/configuration.md has every variable and flag, with default and meaning, and no other', () => {
  const variables = SETTING_ROWS.map(
    (row) => `| ${code(row.names)} | ${shownDefault(row)} | ${row.meaning} |`,
  )
  const flags = FLAG_ROWS.map((row) => {
    const fallback = row.argument === undefined ? 'off' : shownDefault(row)
    return `| ${code(row.names)} | ${row.argument ?? '–'} | ${fallback} | ${row.meaning} |`
  })
  const modes = MODES.map((row) => `| ${row.mode} | ${code(row.triggers) || 'none of these'} | ${row.does} |`)
  const platform = PLATFORM_ROWS.map((row) => `| ${code(row.names)} | ${row.meaning} |`)
  const headings = /^\| (?:---|Variable|Flag|Mode)/
  expect(DOCUMENT_ROWS.filter((line) => !headings.test(line))).toEqual([
    ...modes,
    ...flags,
    ...variables,
    ...platform,
  ])
})
