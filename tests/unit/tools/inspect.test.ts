/** What a person is told of a model folder, and the graph that it is written as. */
import { readFile, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { TARGETS } from '../../../src/graph/target.ts'
import { openFolder } from '../../../src/model/open-folder.ts'
import { describeHead } from '../../../tools/inspect/describe-head.ts'
import type { ModelReport } from '../../../tools/inspect/model-report.ts'
import { inspectModel } from '../../../tools/inspect/model-report.ts'
import { weightMemory } from '../../../tools/inspect/weight-memory.ts'
import { MADE_LATER } from '../../../tools/inspect/write-graph.ts'
import { inspect } from '../../../tools/inspect.ts'
import { runProgram } from '../../../tools/cuda/run-program.ts'
import { readOnnx } from '../graph/read-onnx.ts'
import { ref } from '../graph/tiny-bert.ts'
import { copyFixture, fixturePath, makeFolder, patched } from '../model/model-folder.ts'

const ROOT = join(import.meta.dirname, '../../..')
const BUNDLED = join(ROOT, 'models/all-MiniLM-L6-v2-int8')

async function run(...args: string[]): Promise<{ text: string; served: boolean }> {
  const lines: string[] = []
  const served = await inspect({ args, env: {}, print: (line) => lines.push(line) })
  return { text: lines.join('\n'), served }
}

async function reportOf(folder: string): Promise<ModelReport> {
  return JSON.parse((await run(folder, '--json')).text) as ModelReport
}

test('a folder is told by family, head, limits, tokenizer, weights and targets', async () => {
  const { text, served } = await run(BUNDLED)
  expect(served).toBe(true)
  expect(text).toMatch(/^Model +all-MiniLM-L6-v2-int8$/m)
  expect(text).toMatch(/^Family +bert, told by embeddings\.word_embeddings\.weight$/m)
  expect(text).toMatch(/^Head +embedding\n +pooling: modes mean; include prompt\n +normalize$/m)
  expect(text).toMatch(/^Output +384 numbers a text; of each token 384$/m)
  expect(text).toMatch(/^Max tokens +256$/m)
  expect(text).toMatch(/WordPiece from tokenizer\.json: 30,522 pieces, 5 of them added, the model has 30,522/)
  expect(text).toMatch(/normalizer: BertNormalizer; an empty text: \[CLS\] \[SEP\]/)
  expect(text).toMatch(
    /^Stored +22,765,370 numbers in 142 tensors of 1 file, 23\.0 MB: F32 .*, I8 22\.7 MB$/m,
  )
  for (const target of Object.keys(TARGETS))
    expect(text).toMatch(new RegExp(`${target} +\\d+\\.\\d MB of weights in`))
  expect(text).toMatch(/^Runs on +CPU: cpu-f32\n +GPU of compute capability 8\.0 or more: cuda-f16$/m)
  expect(text).toMatch(/^Unused +pooler\.dense\.bias, /m)
  expect(text).toMatch(/\nThis model can be served\.$/)
})

test('prompts are shown with their blanks, and which of them is the default', async () => {
  const { text } = await run(fixturePath('bert-prompts'))
  expect(text).toContain('query: "Search for this: ", put before every text unless another is asked for')
  expect(text).toContain('document: "text:"')
})

test('adapters are told by the tasks that they are for, and only where there are some', async () => {
  const { text } = await run(fixturePath('jina_flash/jina-v3-adapters'))
  expect(text).toMatch(
    /^Adapters +retrieval\.query, retrieval\.passage, separation, classification, text-matching$/m,
  )
  expect(text).toMatch(/^Unused +roberta\.pooler\./m)
  expect((await run(fixturePath('jina_flash/jina-v3-renamed'))).text).not.toContain('Adapters')
})

test('a model that compares tokens is told by what its tokens have, and how it reads each kind of text', async () => {
  const { text } = await run(fixturePath('multi_vector/multi-vector-bert'))
  expect(text).toMatch(
    /^Head +multi vector: rules \(query \(max tokens 20; .*expansion \(id 4; tokens 20; not attended\)/m,
  )
  expect(text).toMatch(/^Output +12 numbers a token$/m)
  expect(text).toMatch(/^Max tokens +24$/m)
  expect(text).toMatch(/^Prompts +query: "\[Q\] "\n +document: "\[D\] "$/m)
})

test('a classifier is told by its labels and its activation, without prompts that it does not read', async () => {
  const { text } = await run(fixturePath('bert-cross-encoder-3-labels'))
  expect(text).toMatch(
    /^Head +classification: labels contradiction, entailment, neutral; activation softmax$/m,
  )
  expect(text).toMatch(/^Output +3 numbers a text$/m)
  expect(text).toMatch(/^Prompts +none$/m)
})

test('what is stored counts the modules behind the Transformer, each once', async () => {
  const { stored } = await reportOf(join(ROOT, 'tests/golden/pipelines/router-dense/model'))
  const plain = await openFolder(join(ROOT, 'tests/golden/pipelines/router-dense/model'))
  expect(stored.files).toBe(3)
  // Two Dense modules, one of them with a bias.
  expect(stored.tensors).toBe(Object.keys(plain.tensors).length + 3)
  expect(stored.bytes).toBe(4 * stored.numbers)
})

test('a head of a kind that is unknown here is shown with all that it holds', () => {
  const head = {
    kind: 'some_new_head',
    threshold: 0.5,
    fixed: { weights: new Float32Array(7), tasks: ['a '] },
    steps: [{ kind: 'score', rows: ref([2, 8]), fast: false, skipped: ['a', 'b'] }],
  }
  expect(describeHead(head as never)).toEqual([
    'some new head: threshold 0.5; fixed (weights of 7 numbers; tasks "a ")',
    '  score: rows [2, 8] F32; not fast; skipped a, b',
  ])
})

test('why a model cannot be served is told once, and the exit code is 1', async () => {
  const config = await patched('bert-cls', 'config.json', { hidden_act: 'glu' })
  const folder = await copyFixture('bert-cls', { 'config.json': config })
  const { exitCode, stdout } = await runProgram(process.execPath, [join(ROOT, 'tools/inspect.ts'), folder], {
    limitMs: 60_000,
  })
  expect(exitCode).toBe(1)
  expect(stdout.match(/hidden_act in config\.json is "glu"/g)).toHaveLength(1)
  expect(stdout).toMatch(/This model cannot be served:\n- model: hidden_act .*\n$/)
  // What could be found out is told all the same.
  expect(stdout).toMatch(/^Stored +\d/m)
  expect(stdout).not.toContain('Runs on')
})

test('a family that is unknown, and a tokenizer that cannot be read, are both told', async () => {
  const config = await patched('bert-cls', 'config.json', { model_type: 'xlnet' })
  const folder = await copyFixture('bert-cls', { 'config.json': config, 'tokenizer.json': '{}' })
  const { problems, probe, targets } = await reportOf(folder)
  expect(probe).toBeUndefined()
  expect(problems).toHaveLength(2)
  expect(problems.join()).toContain('model_type "xlnet" is not supported; supported are: ')
  expect(problems.join()).toContain('tokenizer.json cannot be used')
  expect(targets.every(({ weights }) => weights === undefined)).toBe(true)
})

test('a folder that cannot be read at all ends with the reason alone', async () => {
  await expect(run(await makeFolder())).rejects.toThrow('config.json is missing')
  await expect(run('/nowhere/at-all')).rejects.toThrow('/nowhere/at-all is not a folder')
})

test('a wrong target, and anything but one model, are refused with what is allowed', async () => {
  await expect(run(BUNDLED, '--target', 'tpu')).rejects.toThrow('--target: "tpu" is none of cpu-f32, ')
  await expect(run()).rejects.toThrow('npm run inspect -- MODEL')
  await expect(run('a', 'b')).rejects.toThrow('npm run inspect -- MODEL')
})

test('control characters of a folder do not reach the terminal', async () => {
  const config = await patched('bert-cross-encoder-3-labels', 'config.json', {
    id2label: { 0: '\u001B[2Jred', 1: 'b', 2: 'c' },
  })
  const { text } = await run(await copyFixture('bert-cross-encoder-3-labels', { 'config.json': config }))
  expect(text).toContain('\uFFFD[2Jred')
  expect(text).not.toContain('\u001B')
})

test('memory counts weights as the kernels read them, and what is used where it lies', async () => {
  const { graphs } = await inspectModel(await openFolder(fixturePath('bert-f16')))
  const cpu = weightMemory(graphs.get('cpu-f32')!.get('text')!.graph)
  const half = weightMemory(graphs.get('cuda-f16')!.get('text')!.graph)
  const full = weightMemory(graphs.get('cuda-f32')!.get('text')!.graph)
  // Stored in half precision: tables are read as they are, matrices become float32 on the CPU.
  expect(cpu.asStored).toBeGreaterThan(0)
  expect(cpu.asStored).toBeLessThan(cpu.bytes / 2)
  expect(half.bytes).toBeLessThan(full.bytes)
  expect(half.asStored).toBeGreaterThan(half.bytes / 2)
})

test('weights that a graph computes from weights count once, as what they become', () => {
  const [stored, other] = [ref([4, 8], 'F16'), ref([4, 8], 'F16')]
  const value = (name: string, dtype: 'f16' | 'f32', shape: (number | string)[]) => ({ name, dtype, shape })
  const node = (op: string, inputs: string[], output: ReturnType<typeof value>) => ({
    op,
    inputs,
    attributes: {},
    outputs: [output],
  })
  const memory = weightMemory({
    inputs: [value('x', 'f32', ['T', 8])],
    initializers: [
      { value: value('w', 'f16', [4, 8]), source: stored },
      { value: value('u', 'f16', [4, 8]), source: other },
    ],
    nodes: [
      node('Cast', ['w'], value('wide', 'f32', [4, 8])),
      node('Gemm', ['x', 'wide', ''], value('y', 'f32', ['T', 4])),
      node('Gather', ['u', 'x'], value('z', 'f16', ['T', 8])),
    ],
    outputs: [value('y', 'f32', ['T', 4])],
  })
  expect(memory).toEqual({ bytes: 4 * 8 * 4 + 4 * 8 * 2, asStored: 4 * 8 * 2 })
})

test('--graph writes ONNX whose weights are named by their path from its folder', async () => {
  const folder = await copyFixture('bert-cls')
  const file = join(await makeFolder(), 'graph.onnx')
  const { text } = await run(folder, '--graph', file)
  expect(text).toMatch(/\nThe graph of cpu-f32 is in .*graph\.onnx\.$/)
  const { nodes, initializers } = readOnnx(await readFile(file))
  expect(nodes.map(({ op }) => op)).toContain('LayerNormalization')
  const places = new Set(initializers.flatMap(({ external }) => external['location'] ?? []))
  expect([...places].map((place) => resolve(file, '..', place))).toEqual([join(folder, 'model.safetensors')])
  const { size } = await stat(file)
  expect(size).toBeLessThan(100_000)
})

test('--graph of a target that makes weights first names them, and says so', async () => {
  const file = join(await makeFolder(), 'graph.onnx')
  const { text } = await run(fixturePath('bert-cls'), '--target', 'cuda-f16', '--graph', file)
  const made = Number(/; (\d+) weights are made later/.exec(text)?.[1])
  const { initializers } = readOnnx(await readFile(file))
  const named = initializers.filter(({ external }) => external['location'] === MADE_LATER)
  expect(made).toBeGreaterThan(0)
  expect(named).toHaveLength(made)
})

test('an exported model is told by its file, and its graph is the head behind it', async () => {
  const path = join(await makeFolder(), 'head.onnx')
  const { text, served } = await run(fixturePath('exported/exported-dense'), '--graph', path)
  expect(served).toBe(true)
  expect(text).toMatch(/^Family +bert, compiled by others$/m)
  expect(text).toMatch(
    /^Exported +onnx\/model\.onnx, taken for fp32: 101\.3 kB of weights: float32 101\.3 kB$/m,
  )
  expect(text).toContain(
    'inputs input_ids, attention_mask, token_type_ids; outputs token_embeddings, sentence_embedding',
  )
  expect(text).toMatch(/^Stored +1,560 numbers in 2 tensors of 1 file, /m)
  expect(text).toMatch(/^Memory +cpu-f32 +107\.6 kB of weights in fp32.*\n +cuda-f32 /m)
  expect(text).toContain('It begins where onnx/model.onnx ends.')
  const { inputs } = readOnnx(await readFile(path))
  expect(inputs.map(({ name }) => name)).toContain('states')
})

test('of several exported models DTYPES chooses', async () => {
  const half = await readFile(join(fixturePath('_dynamic/exported-model_fp16'), 'onnx/model_fp16.onnx'))
  const folder = await copyFixture('exported/exported-mean-normalize', { 'onnx/model_fp16.onnx': half })
  const lines: string[] = []
  await inspect({ args: [folder], env: { DTYPES: 'fp16' }, print: (line) => lines.push(line) })
  expect(lines.join('\n')).toMatch(/^Exported +onnx\/model_fp16\.onnx, taken for fp16: /m)
  expect((await run(folder)).text).toMatch(/^Exported +onnx\/model\.onnx, taken for fp32: /m)
})

test('what reads pictures is told beside what reads texts, and its graph can be written', async () => {
  const folder = await copyFixture('_vision/clip')
  const { text, served } = await run(folder)
  expect(served).toBe(true)
  expect(text).toMatch(/^Family +clip_text_model, told by embeddings\.token_embedding\.weight$/m)
  expect(text).toMatch(/^Pictures +clip_vision_model, told by embeddings\.class_embedding$/m)
  expect(text).toMatch(
    /^ +resize \(shortest edge: edge 32\); crop \(height 32; width 32\); resample bicubic/m,
  )
  expect(text).toMatch(/^ +24 numbers a picture, of at most 17 tokens$/m)
  expect(text).toMatch(/^Output +24 numbers a text; of each token 32$/m)
  // A tensor that one of the sides uses is used.
  expect(text).toMatch(/^Unused +logit_scale$/m)
  const file = join(await makeFolder(), 'graph.onnx')
  await run(folder, '--graph', file, '--side', 'image')
  expect(readOnnx(await readFile(file)).nodes.flatMap(({ inputs }) => inputs)).toContain('patches')
  await run(folder, '--graph', file)
  expect(readOnnx(await readFile(file)).nodes.flatMap(({ inputs }) => inputs)).toContain('ids')
  await expect(run(folder, '--graph', file, '--side', 'audio')).rejects.toThrow(
    '--side: model has text, image',
  )
  await expect(run(folder, '--side', 'smell')).rejects.toThrow('none of text, image, audio')
})

test('a model of pictures alone is told without what concerns texts', async () => {
  const { text, served } = await run(fixturePath('_vision/dinov2-registers'))
  expect(served).toBe(true)
  expect(text).toMatch(/^Pictures +dinov2_with_registers, told by embeddings\.cls_token$/m)
  expect(text).toMatch(/^Runs on +CPU: cpu-f32$/m)
  expect(text).not.toMatch(/^(Family|Head|Output|Max tokens|Prompts|Tokenizer) /m)
  const report = await reportOf(fixturePath('_vision/dinov2-registers'))
  expect(report).toMatchObject({ head: [], towers: [{ modality: 'image', width: 32, maxTokens: 16 }] })
})
