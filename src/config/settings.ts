// Longer than most files because it is a table: one row for each variable and flag, from which the parser, the
// help text and the test of docs/configuration.md are fed.
import { z } from 'zod'
import type { Complain, Reading } from './reading.ts'
import { listOf, oneOf, orWords, quote, splitList, value, wholeNumber } from './reading.ts'

export type Mode = 'test-input' | 'help' | 'serve-api' | 'queue-worker' | 'http-server' | 'local-run'
export type LogLevel = 'error' | 'warn' | 'info' | 'debug'
export type DtypeSetting = 'auto' | 'fp32' | 'fp16' | 'bf16' | 'int8' | 'fp8'

export interface Setting<T> {
  /** Any of them sets it; the first that is set wins. */
  readonly names: readonly [string, ...string[]]
  readonly fallback: NoInfer<T>
  /** Stands in the help text and the documents where the fallback is not a value of its own. */
  readonly unset?: string
  readonly meaning: string
  readonly read: Reading<T>
}

/** A flag without `argument` is a switch: given or not. */
export interface Flag<T> extends Setting<T> {
  readonly argument?: string
}

interface ModeRow {
  readonly mode: Mode
  /** Any of them starts the mode; none at all means always. */
  readonly triggers: readonly string[]
  readonly does: string
}

/** The first row whose trigger is set decides. Help comes before all, as a person who asks for it expects. */
export const MODES: readonly ModeRow[] = [
  { mode: 'help', triggers: ['--help'], does: 'print this text, exit' },
  { mode: 'test-input', triggers: ['--test_input'], does: 'run that one job, print its result, exit' },
  { mode: 'serve-api', triggers: ['--rp_serve_api'], does: 'local API: HTTP and RunPod routes' },
  {
    mode: 'queue-worker',
    triggers: ['RUNPOD_WEBHOOK_GET_JOB'],
    does: 'take jobs from the RunPod queue; answer the probes on PORT if it is free',
  },
  {
    mode: 'http-server',
    triggers: ['PORT', 'RUNPOD_POD_ID', 'RUNPOD_ENDPOINT_ID'],
    does: 'HTTP server for a load-balancing endpoint or a pod; never exits by itself',
  },
  { mode: 'local-run', triggers: [], does: 'run the job in test_input.json, print its result, exit' },
]

export const DEFAULT_API_PORT = 8000
export const BUNDLED_MODEL = 'models/all-MiniLM-L6-v2-int8'

const JOBS_IN_FLIGHT = wholeNumber(1, 100_000)
// 0 lets the operating system pick a free port
const PORT_NUMBER = wholeNumber(0, 65_535)
const LOG_LEVEL = oneOf('error', 'warn', 'info', 'debug')
const HOST = value(
  z
    .string()
    .toLowerCase()
    .regex(/^(?:[\w-]+(?:\.[\w-]+)*|\[[\da-f:.]+\])(?::\d{1,5})?$/),
  'a host such as hooks.example.com or localhost:9000',
)
const MEDIA_HOST = value(
  z
    .string()
    .toLowerCase()
    .regex(/^(?:(?:\*\.)?[\w-]+(?:\.[\w-]+)*|\[[\da-f:.]+\])(?::\d{1,5})?$/),
  'public, off or a host such as example.org, example.org:8080 or *.example.org',
)
const MEDIA_HOSTS = listOf(MEDIA_HOST)
const GPU_NUMBERS = listOf(wholeNumber(0, 63, 'auto, cpu or '))
// such a key travels in an HTTP header, which takes nothing else
const SECRET = value(
  z.string().regex(/^[\x20-\x7e]+$/),
  'made of printable ASCII characters',
  () => 'its value (not shown)',
)
const DTYPE_SYNONYMS = new Map([
  ['float32', 'fp32'],
  ['float16', 'fp16'],
  ['half', 'fp16'],
  ['bfloat16', 'bf16'],
])
const DTYPES = ['auto', 'fp32', 'fp16', 'bf16', 'int8', 'fp8'] as const
const DTYPE = value(
  z
    .string()
    .toLowerCase()
    .transform((name) => DTYPE_SYNONYMS.get(name) ?? name)
    .pipe(z.enum(DTYPES)),
  `one of ${[...DTYPES, ...DTYPE_SYNONYMS.keys()].join(', ')}`,
)
const HTTP_URL = value(
  z.string().regex(/^https?:\/\/[^\s/?#@]+(?:\/[^\s?#]*)?$/),
  'an address such as https://host/path, without user, ? and #',
)
const SWITCH = value(
  z.stringbool({ truthy: ['1', 'true', 'yes'], falsy: ['0', 'false', 'no'] }),
  '1, 0, true, false, yes or no',
)

export const SETTINGS = {
  models: setting<readonly string[]>({
    names: ['MODEL_NAMES'],
    fallback: [],
    unset: 'the bundled model in a local run; required otherwise',
    meaning:
      'models to serve, separated by ; : names of the Hugging Face hub, with or without @revision, or paths of ' +
      'folders; alias=name or alias1,alias2=name serves one under other names too',
    read: splitList,
  }),
  batchSizes: setting<readonly [number, ...number[]]>({
    names: ['BATCH_SIZES'],
    fallback: [32],
    meaning: 'most items in one batch: one value, or one per model separated by ;',
    read: listOf(wholeNumber(1, 8192)),
  }),
  dtypes: setting<readonly [DtypeSetting, ...DtypeSetting[]]>({
    names: ['DTYPES'],
    fallback: ['auto'],
    meaning:
      'number format, one value or one per model: auto, fp32, fp16, bf16, int8, fp8 ' +
      '(also float32, float16, half, bfloat16); the CPU computes in fp32 or int8, and says so where another is asked for',
    read: listOf(DTYPE),
  }),
  backend: setting({
    names: ['BACKEND'],
    fallback: 'torch',
    meaning: 'accepted for compatibility: torch, optimum and ctranslate2 all mean ONNX Runtime here',
    read: oneOf('torch', 'optimum', 'ctranslate2'),
  }),
  queueSize: setting({
    names: ['INFINITY_QUEUE_SIZE'],
    fallback: 48_000,
    meaning: 'items that may wait',
    read: wholeNumber(1, 100_000_000),
  }),
  maxConcurrency: setting({
    names: ['RUNPOD_MAX_CONCURRENCY'],
    fallback: 300,
    meaning: 'jobs, or direct HTTP requests, in flight; more wait in line',
    read: JOBS_IN_FLIGHT,
  }),
  maxQueueTokens: setting<number | 'auto'>({
    names: ['MAX_QUEUE_TOKENS'],
    fallback: 'auto',
    meaning:
      'tokens that may wait, but for a request that waits alone; auto is as many as the items that may wait can have',
    read: orWords(['auto'], wholeNumber(1, 51_200_000_000, 'auto or ')),
  }),
  maxBatchTokens: setting<number | 'auto'>({
    names: ['MAX_BATCH_TOKENS'],
    fallback: 'auto',
    meaning: 'most tokens in one batch; auto is 512 on CPU, and on a GPU what is found when the model loads',
    read: orWords(['auto'], wholeNumber(1, 16_777_216, 'auto or ')),
  }),
  executionProvider: setting({
    names: ['EXECUTION_PROVIDER'],
    fallback: 'auto',
    meaning:
      'auto, cpu or cuda; auto is CUDA wherever an NVIDIA GPU is visible, ' +
      'and a GPU that cannot be used ends the start',
    read: oneOf('auto', 'cpu', 'cuda'),
  }),
  devices: setting<'auto' | 'cpu' | readonly number[]>({
    names: ['DEVICES'],
    fallback: 'auto',
    meaning:
      'auto, cpu, or which GPUs by number, separated by ; or , and counted as CUDA shows them; auto is all',
    read: orWords(['auto', 'cpu'], readGpuNumbers),
  }),
  cpuSessions: setting({
    names: ['CPU_SESSIONS'],
    fallback: 1,
    meaning:
      'sessions of each model on a CPU, which share its cores and each hold the weights: several may do more work in all, and a single text takes longer',
    read: wholeNumber(1, 256),
  }),
  allowTf32: setting({
    names: ['ALLOW_TF32'],
    fallback: false,
    meaning: '1 lets fp32 models multiply in TF32 on a GPU: faster, with 10 bits of mantissa instead of 23',
    read: SWITCH,
  }),
  apiKey: setting<string | undefined>({
    names: ['API_KEY', 'INFINITY_API_KEY'],
    fallback: undefined,
    unset: 'none',
    meaning: 'bearer key that the HTTP server asks for; the first name wins',
    read: SECRET,
  }),
  port: setting<number | undefined>({
    names: ['PORT'],
    fallback: undefined,
    unset: `${DEFAULT_API_PORT} locally; the platform sets it in a container`,
    meaning: 'port of the HTTP server; 0 takes any free one',
    read: PORT_NUMBER,
  }),
  portHealth: setting<number | undefined>({
    names: ['PORT_HEALTH'],
    fallback: undefined,
    unset: 'PORT',
    meaning: 'port of the health probes',
    read: PORT_NUMBER,
  }),
  hfHome: setting<string | undefined>({
    names: ['HF_HOME'],
    fallback: undefined,
    unset: '~/.cache/huggingface',
    meaning: 'home of the hub cache, shared with Python',
    read: (text) => text,
  }),
  hfToken: setting<string | undefined>({
    names: ['HF_TOKEN'],
    fallback: undefined,
    unset: 'none',
    meaning: 'token for gated and private models',
    read: SECRET,
  }),
  hfEndpoint: setting({
    names: ['HF_ENDPOINT'],
    fallback: 'https://huggingface.co',
    meaning: 'address of the hub, or of a mirror',
    read: HTTP_URL,
  }),
  hfHubOffline: setting({
    names: ['HF_HUB_OFFLINE'],
    fallback: false,
    meaning: '1 loads models from the cache alone, without the network',
    read: SWITCH,
  }),
  cacheDir: setting<string | undefined>({
    names: ['CACHE_DIR'],
    fallback: undefined,
    unset: "the hub cache's neighbour",
    meaning:
      'folder that keeps converted weights; where it is set, models on a CPU too, but those in int8, packed as they lie in memory',
    read: (text) => text,
  }),
  cacheMb: setting({
    names: ['CACHE_MB'],
    fallback: 0,
    meaning: 'megabytes for the result cache; 0 keeps none',
    read: wholeNumber(0, 1_048_576),
  }),
  tokenInput: setting({
    names: ['TOKEN_INPUT'],
    fallback: 'cl100k',
    meaning: "what integer inputs mean: cl100k tokens, the model's native ones, or reject them",
    read: oneOf('cl100k', 'native', 'reject'),
  }),
  errorStyle: setting({
    names: ['ERROR_STYLE'],
    fallback: 'failed',
    meaning: 'how a queue job fails: failed, or incumbent (COMPLETED with an error object)',
    read: oneOf('failed', 'incumbent'),
  }),
  strictDtypes: setting({
    names: ['STRICT_DTYPES'],
    fallback: false,
    meaning: '1 refuses a dtype that the device lacks instead of taking the nearest more exact one',
    read: SWITCH,
  }),
  int8Mode: setting({
    names: ['INT8_MODE'],
    fallback: 'balanced',
    meaning: 'how DTYPES=int8 computes on the CPU: fast, balanced or faithful',
    read: oneOf('fast', 'balanced', 'faithful'),
  }),
  int8Force: setting({
    names: ['INT8_FORCE'],
    fallback: false,
    meaning: '1 loads a model in int8 though its vectors have a mean cosine under 0.99 to those in fp32',
    read: SWITCH,
  }),
  mediaUrls: setting<'public' | 'off' | readonly string[]>({
    names: ['MEDIA_URLS'],
    fallback: 'public',
    meaning:
      'where images and audio are fetched from: public hosts, off, or hosts separated by , or ; as example.org, ' +
      'example.org:8080 or *.example.org; a host that is named in full may be in your own network',
    read: orWords(['public', 'off'], readMediaHosts),
  }),
  mediaMaxMb: setting({
    names: ['MEDIA_MAX_MB'],
    fallback: 20,
    meaning: 'megabytes that the file of an image or of audio may have',
    read: wholeNumber(1, 1024),
  }),
  mediaMaxPixels: setting({
    names: ['MEDIA_MAX_PIXELS'],
    fallback: 64_000_000,
    meaning: 'pixels, width times height, that an image may have',
    read: wholeNumber(1, 1_000_000_000),
  }),
  mediaMaxSeconds: setting({
    names: ['MEDIA_MAX_SECONDS'],
    fallback: 600,
    meaning: 'seconds that audio may last',
    read: wholeNumber(1, 86_400),
  }),
  mediaTimeoutSeconds: setting({
    names: ['MEDIA_TIMEOUT_SECONDS'],
    fallback: 10,
    meaning: 'seconds that fetching an image or audio may take, redirects included',
    read: wholeNumber(1, 600),
  }),
  webhookHosts: setting<readonly string[]>({
    names: ['WEBHOOK_HOSTS'],
    fallback: [],
    meaning: 'hosts that webhooks may be sent to, host or host:port, separated by ;',
    read: listOf(HOST),
  }),
  shutdownGraceSeconds: setting({
    names: ['SHUTDOWN_GRACE_SECONDS'],
    fallback: 30,
    meaning:
      'seconds that work under way, or a start, may take after SIGTERM; what is left then goes back to the queue',
    read: wholeNumber(0, 86_400),
  }),
  refreshWorker: setting({
    names: ['REFRESH_WORKER'],
    fallback: false,
    meaning: '1 asks the platform for a fresh worker after every job',
    read: SWITCH,
  }),
  bucketEndpointUrl: setting<string | undefined>({
    names: ['BUCKET_ENDPOINT_URL'],
    fallback: undefined,
    unset: 'none',
    meaning: 'S3 bucket for results over the size limit, such as https://bucket.s3.eu-west-1.amazonaws.com',
    read: HTTP_URL,
  }),
  bucketName: setting<string | undefined>({
    names: ['BUCKET_NAME'],
    fallback: undefined,
    unset: 'the bucket that BUCKET_ENDPOINT_URL names itself',
    meaning: 'bucket, where BUCKET_ENDPOINT_URL is a server of many',
    read: value(z.string().regex(/^[\w.-]{3,63}$/), 'the name of a bucket'),
  }),
  bucketAccessKeyId: setting<string | undefined>({
    names: ['BUCKET_ACCESS_KEY_ID'],
    fallback: undefined,
    unset: 'none',
    meaning: 'key id for that bucket',
    read: SECRET,
  }),
  bucketSecretAccessKey: setting<string | undefined>({
    names: ['BUCKET_SECRET_ACCESS_KEY'],
    fallback: undefined,
    unset: 'none',
    meaning: 'secret key for that bucket',
    read: SECRET,
  }),
  logLevel: setting<LogLevel | undefined>({
    names: ['LOG_LEVEL'],
    fallback: undefined,
    unset: 'info; warn where one job is run',
    meaning: 'error, warn, info or debug',
    read: LOG_LEVEL,
  }),
}

/** Set by RunPod in its workers; nobody writes them by hand. */
export const PLATFORM = {
  takeUrl: platform(['RUNPOD_WEBHOOK_GET_JOB'], 'where jobs are taken from; makes this a queue worker'),
  doneUrl: platform(['RUNPOD_WEBHOOK_POST_OUTPUT'], 'where results are posted to'),
  pingUrl: platform(['RUNPOD_WEBHOOK_PING'], 'where the heartbeat is sent to'),
  pingInterval: platform(['RUNPOD_PING_INTERVAL'], 'milliseconds between heartbeats, at least 1000'),
  apiKey: platform(['RUNPOD_AI_API_KEY'], 'key of this worker'),
  workerId: platform(['RUNPOD_POD_ID'], 'id of this worker'),
  endpointId: platform(['RUNPOD_ENDPOINT_ID'], 'id of the endpoint'),
  gpuTypeId: platform(['RUNPOD_GPU_TYPE_ID'], 'fills $RUNPOD_GPU_TYPE_ID in the addresses'),
  initTimeout: platform(
    ['RUNPOD_INIT_TIMEOUT'],
    'seconds after which a start counts as failed; 420 where unset',
  ),
}

export const FLAGS = {
  help: flag({ names: ['--help', '-h'], fallback: false, meaning: 'print this text, exit', read: SWITCH }),
  testInput: flag<string | undefined>({
    names: ['--test_input'],
    argument: 'JSON',
    fallback: undefined,
    unset: 'none',
    meaning: 'run this one job, print its result, exit',
    read: (text) => text,
  }),
  serveApi: flag({
    names: ['--rp_serve_api'],
    fallback: false,
    meaning: 'serve the local API',
    read: SWITCH,
  }),
  apiHost: flag({
    names: ['--rp_api_host'],
    argument: 'HOST',
    fallback: '127.0.0.1',
    meaning: 'address that the local API listens on',
    read: value(z.string().regex(/^[\w.:%[\]-]+$/), 'a host name or an IP address'),
  }),
  apiPort: flag<number | undefined>({
    names: ['--rp_api_port'],
    argument: 'NUMBER',
    fallback: undefined,
    unset: `PORT, else ${DEFAULT_API_PORT}`,
    meaning: 'port of the local API; 0 takes any free one',
    read: PORT_NUMBER,
  }),
  apiConcurrency: flag<number | undefined>({
    names: ['--rp_api_concurrency'],
    argument: 'NUMBER',
    fallback: undefined,
    unset: 'RUNPOD_MAX_CONCURRENCY',
    meaning: 'jobs of the local API in flight',
    read: JOBS_IN_FLIGHT,
  }),
  logLevel: flag<LogLevel | undefined>({
    names: ['--rp_log_level'],
    argument: 'LEVEL',
    fallback: undefined,
    unset: 'LOG_LEVEL',
    meaning: 'ERROR, WARN, INFO or DEBUG',
    read: LOG_LEVEL,
  }),
  debugger: flag({
    names: ['--rp_debugger'],
    fallback: false,
    meaning: 'accepted for compatibility, does nothing',
    read: SWITCH,
  }),
}

/** The default as the help text and the documents write it. */
export function shownDefault({ fallback, unset }: Setting<unknown>): string {
  if (unset !== undefined) return unset
  if (typeof fallback === 'boolean') return fallback ? '1' : '0'
  if (Array.isArray(fallback)) return fallback.join(';') || 'none'
  return String(fallback)
}

function platform(names: readonly [string], meaning: string): Setting<string | undefined> {
  return { names, fallback: undefined, unset: 'none', meaning, read: (text) => text }
}

function setting<T>(row: Setting<T>): Setting<T> {
  return row
}

function flag<T>(row: Flag<T>): Flag<T> {
  return row
}

function readMediaHosts(text: string, complain: Complain): readonly string[] | undefined {
  return MEDIA_HOSTS(text.replaceAll(',', ';'), complain)
}

function readGpuNumbers(text: string, complain: Complain): readonly number[] | undefined {
  // CUDA_VISIBLE_DEVICES has commas, so people write them here too
  const numbers = GPU_NUMBERS(text.replaceAll(',', ';'), complain)
  if (numbers === undefined || new Set(numbers).size === numbers.length) return numbers
  complain(`${quote(text)} names a GPU twice`)
  return undefined
}
