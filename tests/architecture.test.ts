/** Imports go one way: the table is the design, and a planted violation shows that this test sees one. */
import { readFileSync, readdirSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { expect, test } from 'vitest'

const root = normalize(join(import.meta.dirname, '..'))

/** Room → what it may import besides itself: a file (a room's face) or a whole room. Type imports count. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  'handler.ts': ['src/door.js'],
  'src/door.js': ['src/find-bundle.js', 'src/program.ts'],
  'src/find-bundle.js': [],
  'src/program.ts': [
    'package.json',
    'src/config.ts',
    'src/errors.ts',
    'src/load-models.ts',
    'src/serve.ts',
    'src/start.ts',
    'src/task.ts',
    'src/threads.ts',
    'src/base/kill-process.ts',
    'src/base/log.ts',
    'src/base/plain-json.ts',
    'src/transports/gate.ts',
    'src/transports/local/run-once.ts',
    'src/transports/runpod/job.ts',
  ],
  'src/serve.ts': [
    'src/config.ts',
    'src/errors.ts',
    'src/faces.ts',
    'src/start.ts',
    'src/threads.ts',
    'src/base',
    'src/engine/engine.ts',
    'src/transports',
  ],
  'src/faces.ts': ['src/config.ts', 'src/errors.ts', 'src/base', 'src/transports'],
  'src/start.ts': [
    'src/config.ts',
    'src/errors.ts',
    'src/base',
    'src/engine/engine.ts',
    'src/engine/result-cache.ts',
    'src/keep-models.ts',
    'src/load-models.ts',
    'src/media/read-media.ts',
    'src/threads.ts',
  ],
  'src/load-models.ts': [
    'src/config.ts',
    'src/errors.ts',
    'src/base',
    'src/devices/choose-devices.ts',
    'src/devices/device.ts',
    'src/devices/ort-environment.ts',
    'src/engine/engine.ts',
    'src/load-model.ts',
    'src/locate-model.ts',
    'src/media/read-media.ts',
    'src/model/progress-bar.ts',
    'src/model/spec.ts',
    'src/threads.ts',
  ],
  'src/keep-models.ts': ['src/load-model.ts', 'src/base', 'src/runtime/prepacked/keep.ts'],
  'src/load-model.ts': [
    'src/calibration/int8-ask.ts',
    'src/config.ts',
    'src/errors.ts',
    'src/base',
    'src/devices/device.ts',
    'src/engine/engine.ts',
    'src/graph/target.ts',
    'src/locate-model.ts',
    'src/model/open-folder.ts',
    'src/model/spec.ts',
    'src/runtime/balance.ts',
    'src/runtime/inference-thread.ts',
    'src/runtime/int8/protocol.ts',
    'src/runtime/overflow.ts',
    'src/runtime/protocol.ts',
    'src/threads.ts',
    'src/tokenize/tokenizer.ts',
  ],
  'src/calibration': [
    'src/model/spec.ts',
    'src/runtime/int8/protocol.ts',
    'src/runtime/runner.ts',
    'src/tokenize/tokenizer.ts',
  ],
  'src/locate-model.ts': ['src/config.ts', 'src/base', 'src/model/fetch-hub.ts', 'src/model/progress-bar.ts'],
  'src/threads.ts': [
    'src/devices/ort-environment.ts',
    'src/media/media.ts',
    'src/runtime/inference-thread.ts',
    'src/tokenize/cl100k-decoder.ts',
    'src/tokenize/tokenizer.ts',
  ],
  'src/config.ts': ['src/config'],
  'src/config': [],
  'src/devices': ['src/errors.ts'],
  'src/task.ts': ['src/model-info.ts'],
  'src/model-info.ts': [],
  'src/errors.ts': [],
  'src/base': ['src/errors.ts'],
  'src/transports': [
    'src/dialects/dispatch.ts',
    'src/dialects/openapi.ts',
    'src/task.ts',
    'src/errors.ts',
    'src/base',
  ],
  'src/dialects': ['src/task.ts', 'src/errors.ts', 'src/base'],
  'src/engine': [
    'src/media/media.ts',
    'src/tokenize/tokenizer.ts',
    'src/runtime/runner.ts',
    'src/model/spec.ts',
    'src/task.ts',
    'src/errors.ts',
    'src/base',
  ],
  'src/media': ['src/model/spec.ts', 'src/task.ts', 'src/errors.ts', 'src/base'],
  'src/tokenize': [
    'src/model/spec.ts',
    'src/model/tokenizer-check/check-tokenizer.ts',
    'src/task.ts',
    'src/errors.ts',
    'src/base',
  ],
  'src/runtime': [
    'src/devices/device.ts',
    'src/graph/build.ts',
    'src/graph/build-judged.ts',
    'src/graph/build-tower.ts',
    'src/graph/choose-target.ts',
    'src/graph/contract.ts',
    'src/graph/encode.ts',
    'src/graph/int8-recipe.ts',
    'src/graph/ir.ts',
    'src/graph/matrix.ts',
    'src/graph/recipe.ts',
    'src/graph/target.ts',
    'src/graph/targets/cpu-int8.ts',
    'src/model/exported-spec.ts',
    'src/model/spec.ts',
    'src/errors.ts',
    'src/base',
  ],
  'src/graph': [
    'src/devices/device.ts',
    'src/model/exported-spec.ts',
    'src/model/spec.ts',
    'src/errors.ts',
    'src/base',
  ],
  'src/model': ['src/errors.ts', 'src/base'],
  tools: [
    'handler.ts',
    'src/config.ts',
    'src/devices',
    'src/errors.ts',
    'src/find-bundle.js',
    'src/graph/contract.ts',
    'src/graph/encode.ts',
    'src/graph/ir.ts',
    'src/locate-model.ts',
    'src/base',
    'src/model/open-folder.ts',
    'src/model/progress-bar.ts',
    'src/runtime/inference-thread.ts',
    'src/runtime/runner.ts',
    'src/runtime/session.ts',
    'src/start.ts',
    'src/transports/gateway',
    'src/transports/http',
    'src/transports/runpod/job-source.ts',
    'src/graph',
    'src/model/spec.ts',
    'src/task.ts',
    'src/tokenize/tokenizer.ts',
    // what goldens are made of and held to
    'tests/golden/media-golden.ts',
    'tests/interpreter/golden-batch.ts',
    'tests/open-model.ts',
    'tests/read-kind.ts',
  ],
}

/** Package → the only places that may import it. */
const OWNERS: Readonly<Record<string, readonly string[]>> = {
  zod: ['src/config', 'src/dialects', 'src/model', 'src/transports/gateway'],
  'onnxruntime-node': ['src/runtime/session.ts'],
  tokenizers: ['src/tokenize'],
  'js-tiktoken/lite': ['src/tokenize'],
  'js-tiktoken/ranks/cl100k_base': ['src/tokenize'],
  pino: ['src/base/log.ts'],
  'p-queue': ['src/transports/gate.ts', 'src/transports/runpod/worker.ts'],
  fastify: ['src/transports/http', 'src/faces.ts'],
  'prom-client': ['src/base/metrics.ts'],
  undici: ['src/media/fetch-media.ts', 'src/transports/runpod'],
  sharp: ['src/media'],
  'mpg123-decoder': ['src/media'],
  aws4fetch: ['src/transports/runpod/upload.ts'],
  '@huggingface/hub': ['src/model/fetch-hub.ts'],
  '@huggingface/jinja': ['src/tokenize'],
  'node:worker_threads': ['src/base'],
  'node:fs': [
    'src/find-bundle.js',
    'src/devices',
    'src/model',
    'src/runtime/prepacked/sum-weights.ts',
    'src/runtime/weights',
  ],
  'node:fs/promises': [
    'src/program.ts',
    'src/locate-model.ts',
    'src/base/make-folder.ts',
    'src/devices',
    'src/model',
    'src/runtime/weights.ts',
    'src/runtime/weights',
    'src/runtime/prepacked',
    'src/runtime/int8',
  ],
  'node:child_process': ['src/devices/machine.ts', 'src/runtime/prepacked/keep.ts'],
}

/** Lines a file may have; above it the file must open with its reason and stand here. */
const MAX_LINES = 300
const LONG_FILES = ['src/config/settings.ts']

interface Source {
  readonly path: string
  readonly text: string
}

const sources: readonly Source[] = ['handler.ts', ...listFiles('src'), ...listFiles('tools')].map((path) => ({
  path,
  text: readFileSync(join(root, path), 'utf8'),
}))

test('every import goes where its room may look', () => {
  expect(sources.flatMap(violations)).toEqual([])
})

test('every package is imported by its owner only, tools aside', () => {
  expect(sources.filter(({ path }) => !path.startsWith('tools/')).flatMap(foreignPackages)).toEqual([])
})

test('a planted violation is found', () => {
  const planted = {
    path: 'src/graph/planted.ts',
    text: "import { x } from '../engine/engine.ts'\nimport 'onnxruntime-node'\n",
  }
  expect(violations(planted)).toEqual(['src/graph/planted.ts imports src/engine/engine.ts'])
  expect(foreignPackages(planted)).toEqual(['src/graph/planted.ts imports onnxruntime-node'])
  const behind = { path: 'src/engine/planted.ts', text: "const later = import('../runtime/session.ts')\n" }
  expect(violations(behind)).toEqual(['src/engine/planted.ts imports src/runtime/session.ts'])
})

test('files stay short enough to be read at once', () => {
  const long = sources.filter(({ text }) => text.split('\n').length > MAX_LINES).map(({ path }) => path)
  expect(long).toEqual(LONG_FILES)
})

test.each(['families', 'towers'])('each of the %s is one file of at most 150 lines', (folder) => {
  const files = sources.filter(({ path }) => path.startsWith(`src/graph/${folder}/`))
  expect(files.length).toBeGreaterThan(2)
  for (const { path, text } of files) expect(text.split('\n').length, path).toBeLessThanOrEqual(150)
})

test('the environment and the exit code are touched by the composition root, and for ONNX Runtime', () => {
  const product = sources.filter(({ path }) => !path.startsWith('tools/'))
  const touching = product.filter(({ text }) => /process\.(env|argv|exit)/.test(text)).map(({ path }) => path)
  expect(touching).toEqual([
    'src/devices/machine.ts',
    'src/devices/ort-environment.ts',
    'src/door.js',
    'src/program.ts',
  ])
})

function violations({ path, text }: Source): string[] {
  const room = roomOf(path)
  const allowed = MAY_IMPORT[room]
  if (allowed === undefined) return [`${path} is in no room`]
  return importsOf(text)
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) => normalize(join(dirname(path), specifier)))
    .filter(
      (target) =>
        roomOf(target) !== room && !allowed.some((face) => target === face || target.startsWith(`${face}/`)),
    )
    .map((target) => `${path} imports ${target}`)
}

function foreignPackages({ path, text }: Source): string[] {
  return importsOf(text)
    .filter((specifier) => Object.hasOwn(OWNERS, specifier))
    .filter(
      (specifier) => !OWNERS[specifier]?.some((owner) => path === owner || path.startsWith(`${owner}/`)),
    )
    .map((specifier) => `${path} imports ${specifier}`)
}

/** Static, dynamic and re-exporting imports, and files named for a thread. */
function importsOf(text: string): string[] {
  const patterns = [
    /\bfrom '([^']+)'/g,
    /\bimport '([^']+)'/g,
    /\bimport\('([^']+)'\)/g,
    /new URL\('([^']+\.ts)'/g,
  ]
  return patterns.flatMap((pattern) => [...text.matchAll(pattern)].map((match) => match[1] as string))
}

function roomOf(path: string): string {
  const [first = '', second = ''] = path.split('/')
  return first === 'src' ? `src/${second}` : first
}

function listFiles(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`
    return entry.isDirectory() ? listFiles(path) : /\.[jt]s$/.test(path) ? [path] : []
  })
}
