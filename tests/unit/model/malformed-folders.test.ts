/**
 * Folders that are broken, each in one way: one clear error before anything runs, and nothing outside the folder is read. What
 * is read first must not hide what comes later, so every case is a whole model but for its fault.
 */
import { execFileSync } from 'node:child_process'
import { mkdir, readFile, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { ErrorCode } from '../../../src/errors.ts'
import { buildGraph } from '../../../src/graph/build.ts'
import { buildTower } from '../../../src/graph/build-tower.ts'
import { openFolder } from '../../../src/model/open-folder.ts'
import { TokenizerThread } from '../../../src/tokenize/tokenizer.ts'
import { expectRefusal } from './expect-refusal.ts'
import type { Files } from './model-folder.ts'
import { copyFixture, fixturePath, patched, readObject } from './model-folder.ts'
import { charsmap, pieceModel, trieOf } from './sentencepiece/piece-bytes.ts'
import { headerLength, ones, safetensors, withHeader } from './safetensors-bytes.ts'
import { archive, checkpoint, floatTensor, global, pickle, text } from './torch-bytes.ts'

const tokenizers = new TokenizerThread()
afterAll(() => tokenizers.close())

/** All that happens to a folder before its session is made. */
async function load(folder: string): Promise<void> {
  const spec = await openFolder(folder)
  if (spec.tokenizer !== undefined) {
    buildGraph(spec, 'cpu-f32')
    await tokenizers.open(spec.tokenizer)
  }
  if (spec.image !== undefined) buildTower(spec, 'image', 'cpu-f32')
  if (spec.audio !== undefined) buildTower(spec, 'audio', 'cpu-f32')
}

const EMBEDDER = 'bert-dense-tanh'
const WEIGHTS = 'model.safetensors'
const NO_WEIGHTS: Files = { [WEIGHTS]: undefined }

type Case = readonly [fault: string, files: Files, code: ErrorCode, ...parts: string[]]

test('the folder that the faults are made in is sound', async () => {
  await load(await copyFixture(EMBEDDER))
})

const config = (changes: object): Promise<object> => patched(EMBEDDER, 'config.json', changes)
const tokenizer = (changes: object): Promise<object> => patched(EMBEDDER, 'tokenizer.json', changes)

const SETTINGS: readonly (readonly [fault: string, changes: object, code: ErrorCode, ...parts: string[]])[] =
  [
    ['no model_type', { model_type: undefined }, 'model_invalid', 'model_type'],
    ['a number as model_type', { model_type: 7 }, 'model_invalid', 'model_type'],
    ['a family that we lack', { model_type: 'mamba' }, 'model_unsupported', 'mamba'],
    ['a family called like a property', { model_type: 'constructor' }, 'model_unsupported', 'constructor'],
    ['a width in words', { hidden_size: 'large' }, 'model_invalid', 'hidden_size', 'large'],
    ['a negative width', { hidden_size: -32 }, 'model_invalid', 'hidden_size', '-32'],
    ['half a width', { hidden_size: 32.5 }, 'model_invalid', 'hidden_size'],
    ['no width at all', { hidden_size: undefined }, 'model_invalid', 'hidden_size'],
    ['an absurd width', { hidden_size: 4e15 }, 'model_invalid', '4000000000000000', 'at most 100000000'],
    ['another width than the weights', { hidden_size: 64 }, 'model_invalid', '[400, 32]', '[400, 64]'],
    ['no head', { num_attention_heads: 0 }, 'model_invalid', 'num_attention_heads'],
    ['heads that do not share the width', { num_attention_heads: 5 }, 'model_invalid', 'hidden_size'],
    ['a list as number of heads', { num_attention_heads: [4] }, 'model_invalid', 'num_attention_heads'],
    ['more layers than the weights', { num_hidden_layers: 3 }, 'model_invalid', 'layer.2.'],
    [
      'an absurd number of layers',
      { num_hidden_layers: 1e15 },
      'model_invalid',
      'num_hidden_layers',
      'at most 10000',
    ],
    ['ten thousand layers', { num_hidden_layers: 10_000 }, 'model_invalid', 'at most 1000'],
    [
      'an absurd number of labels',
      { architectures: ['BertForSequenceClassification'], num_labels: 1e12 },
      'model_invalid',
      'num_labels',
      'at most 1000000',
    ],
    ['fewer layers than the weights', { num_hidden_layers: 1 }, 'model_invalid', 'layer.1.'],
    ['another middle width', { intermediate_size: 128 }, 'model_invalid', '[128, 32]'],
    ['another vocabulary than the weights', { vocab_size: 30_522 }, 'model_invalid', '[30522, 32]'],
    ['more positions than the weights', { max_position_embeddings: 512 }, 'model_invalid', '[512, 32]'],
    ['negative positions', { max_position_embeddings: -1 }, 'model_invalid', 'max_position_embeddings'],
    ['an unknown activation', { hidden_act: 'snake' }, 'model_invalid', 'hidden_act', 'snake'],
    ['an activation called like a property', { hidden_act: 'toString' }, 'model_invalid', 'toString'],
    ['an activation that is no name', { hidden_act: { a: 1 } }, 'model_invalid', 'hidden_act'],
    ['unknown positions', { position_embedding_type: 'spiral' }, 'model_unsupported', 'spiral'],
    ['a negative epsilon', { layer_norm_eps: -1 }, 'model_invalid', 'layer_norm_eps'],
    ['an epsilon in words', { layer_norm_eps: 'small' }, 'model_invalid', 'layer_norm_eps'],
    ['a text as architectures', { architectures: 'BertModel' }, 'model_invalid', 'architectures'],
    ['labels that are numbers', { id2label: { 0: 1 } }, 'model_invalid', 'id2label'],
    ['no label', { num_labels: 0 }, 'model_invalid', 'num_labels'],
    [
      'a quantization of bitsandbytes',
      { quantization_config: { quant_method: 'bitsandbytes' } },
      'model_unsupported',
      'bitsandbytes',
    ],
    ['a quantization without name', { quantization_config: {} }, 'model_invalid', 'quant_method'],
  ]

test.each(SETTINGS.map(([fault, ...rest]) => ({ fault, rest })))(
  'a config.json with $fault is refused',
  async ({ rest: [changes, code, ...parts] }) => {
    const folder = await copyFixture(EMBEDDER, { 'config.json': await config(changes) })
    await expectRefusal(() => load(folder), code, ...parts)
  },
)

const A_TENSOR = { dtype: 'F32', shape: [1], data_offsets: [0, 4] }
const FOUR = [new Uint8Array(4)]
const EVIL = pickle([global('posix', 'system'), `(${text('touch /tmp/x')}tR`])

const XLM_ROBERTA = { tokenizer_class: 'XLMRobertaTokenizer' }
const PIECES = ['<unk>', '<s>', '</s>', 'a', 'b']

/** A model of SentencePiece in place of tokenizer.json. */
function pieces(settings: object, bytes: Uint8Array, file = 'sentencepiece.bpe.model'): Files {
  return { 'tokenizer.json': undefined, 'tokenizer_config.json': settings, [file]: bytes }
}

/** A tokenizer.json whose normalizer has these rules. */
function withRules(rules: unknown): object {
  return {
    version: '1.0',
    normalizer: { type: 'Precompiled', precompiled_charsmap: rules },
    model: { type: 'WordLevel', vocab: { '[UNK]': 0 }, unk_token: '[UNK]' },
  }
}

/** Files of settings, each with one that is out of bounds. */
const BOUNDS: readonly (readonly [file: string, setting: string, value: unknown, message: string])[] = [
  ['config_sentence_transformers.json', 'truncate_dim', 0, 'it must be above 0'],
  ['config_sentence_transformers.json', 'truncate_dim', -1, 'it must be above 0'],
  ['sentence_bert_config.json', 'max_seq_length', 0, 'it must be above 0'],
  ['sentence_bert_config.json', 'max_seq_length', -1, 'it must be above 0'],
  ['sentence_bert_config.json', 'max_seq_length', 2.5, 'it must be a whole number'],
  ['tokenizer_config.json', 'model_max_length', 0, 'it must be at least 1'],
  ['tokenizer_config.json', 'model_max_length', -1, 'it must be at least 1'],
]

test.each(BOUNDS)('in %s, a %s of %j is refused', async (file, setting, value, message) => {
  const folder = await copyFixture(EMBEDDER)
  await writeFile(join(folder, file), JSON.stringify({ [setting]: value }))
  await expectRefusal(() => load(folder), 'model_invalid', `${file}: ${setting}: ${message}`)
})

const FOLDERS: readonly Case[] = [
  ['config.json is missing', { 'config.json': undefined }, 'model_invalid', 'config.json is missing'],
  ['config.json is empty', { 'config.json': '' }, 'model_invalid', 'config.json is not JSON'],
  ['config.json is a list', { 'config.json': [] }, 'model_invalid', 'config.json'],
  ['config.json is a web page', { 'config.json': '<html>' }, 'model_invalid', 'config.json is not JSON'],
  [
    'config.json is a folder',
    { 'config.json': undefined, 'config.json/x': '' },
    'model_invalid',
    'config.json cannot be read',
  ],
  ['modules.json is an object', { 'modules.json': {} }, 'model_invalid', 'modules.json'],
  [
    'modules.json has a name twice',
    {
      'modules.json': [
        { idx: 0, name: '0', path: '', type: 'sentence_transformers.models.Transformer' },
        { idx: 1, name: '1', path: '1_Pooling', type: 'sentence_transformers.models.Pooling' },
        { idx: 2, name: '1', path: '2_Dense', type: 'sentence_transformers.models.Dense' },
      ],
    },
    'model_invalid',
    'modules.json: 2.name: 1 is another module',
  ],
  [
    'modules.json has its Transformer twice',
    {
      'modules.json': [
        { path: '', type: 'sentence_transformers.models.Transformer' },
        { path: '', type: 'sentence_transformers.models.Transformer' },
      ],
    },
    'model_unsupported',
    'module sentence_transformers.models.Transformer is not supported',
  ],
  [
    'modules.json has a Dense twice',
    {
      'modules.json': [
        { path: '', type: 'sentence_transformers.models.Transformer' },
        { path: '1_Pooling', type: 'sentence_transformers.models.Pooling' },
        { path: '2_Dense', type: 'sentence_transformers.models.Dense' },
        { path: '2_Dense', type: 'sentence_transformers.models.Dense' },
      ],
    },
    'model_invalid',
    'a Dense module takes 32 numbers; it is given 20',
  ],
  [
    'modules.json names a folder outside',
    { 'modules.json': [{ path: '../x', type: 'sentence_transformers.models.Transformer' }] },
    'model_invalid',
    'outside',
  ],
  [
    'prompts are a list',
    { 'config_sentence_transformers.json': { prompts: ['a'] } },
    'model_invalid',
    'prompts',
  ],
  [
    'a prompt is a number',
    { 'config_sentence_transformers.json': { prompts: { a: 1 } } },
    'model_invalid',
    'prompts.a',
  ],
  [
    'vectors are cut to nothing',
    { 'config_sentence_transformers.json': { truncate_dim: 0 } },
    'model_invalid',
    'truncate_dim',
  ],
  [
    'the limit is half a token',
    { 'sentence_bert_config.json': { max_seq_length: 1.5 } },
    'model_invalid',
    'max_seq_length',
  ],
  [
    'pooling is none that there is',
    { '1_Pooling/config.json': { pooling_mode: 'median' } },
    'model_invalid',
    'pooling_mode',
  ],
  [
    'a Dense module does not fit the width',
    { '2_Dense/model.safetensors': safetensors({ 'linear.weight': ones(4, 31), 'linear.bias': ones(4) }) },
    'model_invalid',
    '31',
  ],

  ['weights are empty', { [WEIGHTS]: '' }, 'model_invalid', WEIGHTS, '0 bytes'],
  [
    'weights are a Git LFS pointer',
    { [WEIGHTS]: 'version https://git-lfs.github.com/spec/v1\n' },
    'model_invalid',
    WEIGHTS,
    'Git LFS pointer',
  ],
  [
    'weights are a web page',
    { [WEIGHTS]: '<!DOCTYPE html><html>not found</html>' },
    'model_invalid',
    WEIGHTS,
    'claims',
  ],
  [
    'a header is giant',
    { [WEIGHTS]: Buffer.concat([headerLength(2n ** 63n), new Uint8Array(9)]) },
    'model_invalid',
    'claims 9223372036854776000 bytes',
  ],
  ['a header is no JSON', { [WEIGHTS]: withHeader('{"a":') }, 'model_invalid', 'not JSON'],
  [
    'an offset is negative',
    { [WEIGHTS]: withHeader({ a: { ...A_TENSOR, data_offsets: [-4, 0] } }, FOUR) },
    'model_invalid',
    'tensor a',
  ],
  [
    'tensors overlap',
    { [WEIGHTS]: withHeader({ a: A_TENSOR, b: A_TENSOR }, FOUR) },
    'model_invalid',
    'overlap',
  ],
  [
    'a tensor is cut off',
    { [WEIGHTS]: withHeader({ a: A_TENSOR }, [new Uint8Array(3)]) },
    'model_invalid',
    'truncated',
  ],
  [
    'a shape is absurd',
    { [WEIGHTS]: withHeader({ a: { ...A_TENSOR, shape: [2 ** 40, 2 ** 40] } }, FOUR) },
    'model_invalid',
    'tensor a',
  ],
  ['weights hold nothing', { [WEIGHTS]: safetensors({}) }, 'model_invalid', 'word_embeddings'],
  [
    'weights are float64',
    { [WEIGHTS]: safetensors({ 'a.weight': { dtype: 'F64', shape: [1], bytes: new Uint8Array(8) } }) },
    'model_unsupported',
    'a.weight is F64',
  ],
  [
    'weights are 4-bit codes',
    { [WEIGHTS]: safetensors({ 'a.weight': { dtype: 'F4', shape: [2], bytes: new Uint8Array(1) } }) },
    'model_unsupported',
    'a.weight is F4',
  ],

  [
    'a shard is missing',
    { ...NO_WEIGHTS, 'model.safetensors.index.json': { weight_map: { a: '1.safetensors' } } },
    'model_invalid',
    'shard 1.safetensors is missing',
  ],
  [
    'the index names a file outside',
    {
      ...NO_WEIGHTS,
      'model.safetensors.index.json': { weight_map: { a: '../1.safetensors' } },
      '../1.safetensors': safetensors({ a: ones(1) }),
    },
    'model_invalid',
    '../1.safetensors',
  ],
  [
    'the index names an absolute path',
    { ...NO_WEIGHTS, 'model.safetensors.index.json': { weight_map: { a: '/etc/hosts.safetensors' } } },
    'model_invalid',
    '/etc/hosts.safetensors',
  ],
  [
    'the index is a list',
    { ...NO_WEIGHTS, 'model.safetensors.index.json': { weight_map: ['1.safetensors'] } },
    'model_invalid',
    'weight_map',
  ],
  [
    'an index of checkpoints names a file outside',
    {
      ...NO_WEIGHTS,
      'pytorch_model.bin.index.json': { weight_map: { a: '../1.bin' } },
      '../1.bin': checkpoint({ a: floatTensor([1], [1]) }),
    },
    'model_invalid',
    '../1.bin',
  ],
  [
    'a checkpoint calls something',
    { ...NO_WEIGHTS, 'pytorch_model.bin': archive(EVIL) },
    'model_unsupported',
    'posix.system',
  ],
  [
    'a checkpoint is cut off',
    { ...NO_WEIGHTS, 'pytorch_model.bin': checkpoint({ a: floatTensor([1], [1]) }).subarray(0, 400) },
    'model_invalid',
    'truncated',
  ],
  [
    'a checkpoint names a storage outside',
    { ...NO_WEIGHTS, 'pytorch_model.bin': archive(pickle([storageOf('../../x')])) },
    'model_invalid',
    'lacks storage ../../x',
  ],
  [
    'a checkpoint is of another architecture',
    { ...NO_WEIGHTS, 'pytorch_model.bin': checkpoint({ a: floatTensor([1], [1]) }) },
    'model_invalid',
    'word_embeddings',
  ],
  [
    'weights are those of TensorFlow',
    { ...NO_WEIGHTS, 'tf_model.h5': 'x' },
    'model_unsupported',
    'tf_model.h5',
    WEIGHTS,
  ],
  [
    'weights are those of llama.cpp',
    { ...NO_WEIGHTS, 'model-q4.gguf': 'x' },
    'model_unsupported',
    'model-q4.gguf',
    WEIGHTS,
  ],
  ['weights are an adapter', { 'adapter_config.json': {} }, 'model_unsupported', 'adapter'],
  [
    'there is an adapter alone',
    { 'config.json': undefined, 'adapter_config.json': { base_model_name_or_path: 'org/base' } },
    'model_unsupported',
    'adapter to "org/base"',
  ],
  ['adapter_config.json is cut off', { 'adapter_config.json': '{' }, 'model_invalid', 'adapter_config.json'],

  [
    'tokenizer.json is missing',
    { 'tokenizer.json': undefined },
    'model_invalid',
    'tokenizer.json is missing',
  ],
  ['tokenizer.json is empty', { 'tokenizer.json': '' }, 'model_invalid', 'tokenizer.json cannot be used'],
  [
    'tokenizer.json is cut off',
    { 'tokenizer.json': '{"version": "1.0", "model": {"type": "WordPiece", "vocab": {"a": 0,' },
    'model_invalid',
    'tokenizer.json cannot be used',
  ],
  [
    'tokenizer.json has no model',
    { 'tokenizer.json': { version: '1.0' } },
    'model_invalid',
    'tokenizer.json cannot be used',
  ],
  [
    'tokenizer.json is a folder',
    { 'tokenizer.json': undefined, 'tokenizer.json/x': '' },
    'model_invalid',
    'tokenizer.json',
  ],
  [
    'the limit of tokens is in words',
    { 'tokenizer_config.json': { model_max_length: 'long' } },
    'model_invalid',
    'model_max_length',
  ],
  [
    'a vocabulary lacks its tokens',
    { 'tokenizer.json': undefined, 'vocab.txt': 'a\n' },
    'model_invalid',
    'vocab.txt lacks the token [UNK]',
  ],
  [
    'pieces of another class are all that a tokenizer has',
    { 'tokenizer.json': undefined, 'spiece.model': 'x' },
    'model_unsupported',
    'BertTokenizer is not made of spiece.model',
  ],
  [
    'pieces are a Git LFS pointer',
    pieces(XLM_ROBERTA, Buffer.from('version https://git-lfs.github.com/spec/v1\n')),
    'model_invalid',
    'sentencepiece.bpe.model is no sound model of SentencePiece',
  ],
  [
    'pieces are cut off',
    pieces(XLM_ROBERTA, pieceModel({ pieces: PIECES }).subarray(0, -3)),
    'model_invalid',
    'sentencepiece.bpe.model',
    'are left',
  ],
  [
    'pieces are a folder',
    { 'tokenizer.json': undefined, 'tokenizer_config.json': XLM_ROBERTA, 'sentencepiece.bpe.model/x': '' },
    'model_invalid',
    'sentencepiece.bpe.model cannot be read: it is not a regular file',
  ],
  [
    'pieces are characters',
    pieces(XLM_ROBERTA, pieceModel({ pieces: PIECES, trainer: { 3: 4 } })),
    'model_unsupported',
    'is a char model',
  ],
  [
    'pieces are pairs where likelihoods are due',
    pieces(XLM_ROBERTA, pieceModel({ pieces: PIECES, trainer: { 3: 2 } })),
    'model_unsupported',
    'a bpe model; XLMRobertaTokenizer is made of unigram',
  ],
  [
    'pieces lack the unknown one',
    pieces(
      { tokenizer_class: 'PreTrainedTokenizerFast' },
      pieceModel({ pieces: PIECES, trainer: { 40: 99 } }),
      'tokenizer.model',
    ),
    'model_invalid',
    'piece 99 stands for what is unknown; the vocabulary has 5',
  ],
  [
    'pieces have other names in the settings',
    pieces(
      {
        tokenizer_class: 'PreTrainedTokenizerFast',
        added_tokens_decoder: { 1: { content: '<x>' }, 0: { content: '<unk>' } },
      },
      pieceModel({ pieces: PIECES, trainer: { 3: 2 } }),
      'tokenizer.model',
    ),
    'model_unsupported',
    'tokenizer.model has "<s>" as token 1',
    '"<x>"',
  ],
  [
    'sentinels are as many as nobody has',
    pieces(
      { tokenizer_class: 'T5Tokenizer', extra_ids: 1e9 },
      pieceModel({ pieces: PIECES }),
      'spiece.model',
    ),
    'model_invalid',
    'extra_ids is 1000000000; at most 10000',
  ],
  [
    'sentinels are other than the vocabulary’s',
    pieces(
      { tokenizer_class: 'T5Tokenizer', extra_ids: 2 },
      pieceModel({ pieces: [...PIECES, { content: '<extra_id_0>', kind: 4 }] }),
      'spiece.model',
    ),
    'model_invalid',
    'extra_ids is 2; the vocabulary has 1',
  ],
  [
    'the rules of pieces lead nowhere',
    pieces(XLM_ROBERTA, pieceModel({ pieces: PIECES, charsmap: charsmap(trieOf(9), 'ab\0') })),
    'model_invalid',
    'to byte 9 of texts of 3',
  ],
  ...['ALwC=', '', 'AAAA', charsmap(trieOf(9), 'ab\0').toString('base64')].map((rules): Case => [
    `tokenizer.json has the broken rules ${rules.slice(0, 8)}…`,
    { 'tokenizer.json': withRules(rules) },
    'model_invalid',
    'tokenizer.json has rules of normalization',
  ]),
  [
    'tokenizer.json has rules that are no text',
    { 'tokenizer.json': withRules(null) },
    'model_invalid',
    'rules of normalization that are no text',
  ],
  [
    'tokenizer.json lacks its rules',
    { 'tokenizer.json': withRules(undefined) },
    'model_invalid',
    'Precompiled normalizer without rules',
  ],
]

test.each(FOLDERS.map(([fault, ...rest]) => ({ fault, rest })))(
  'a folder where $fault is refused',
  async ({ rest: [files, code, ...parts] }) => {
    const folder = await copyFixture(EMBEDDER, files)
    await expectRefusal(() => load(folder), code, ...parts)
  },
)

function storageOf(key: string): string {
  const storage = `(${text('storage')}${global('torch', 'FloatStorage')}${text(key)}${text('cpu')}K\x01tQ`
  return `}${text('a')}${global('torch._utils', '_rebuild_tensor_v2')}(${storage}K\x00(K\x01t(K\x01t\x89}tRs`
}

const EXPORTED = 'exported/exported-dense'
const ONNX = 'onnx/model.onnx'

/** The fixture's exported model with every occurrence of a name replaced by one of the same length. */
async function renamed(name: string, other: string): Promise<Files> {
  const bytes = await readFile(join(fixturePath(EXPORTED), ONNX), 'latin1')
  return { [ONNX]: Buffer.from(bytes.replaceAll(name, other.padEnd(name.length, '_')), 'latin1') }
}

const FOLDERS_OF_EXPORTED: readonly (readonly [
  fault: string,
  files: () => Files | Promise<Files>,
  code: ErrorCode,
  ...parts: string[],
])[] = [
  ['the exported model is empty', () => ({ [ONNX]: '' }), 'model_invalid', 'it has no graph'],
  [
    'the exported model is a Git LFS pointer',
    () => ({ [ONNX]: 'version https://git-lfs.github.com/spec/v1\n' }),
    'model_invalid',
    `${ONNX} is no sound ONNX file`,
  ],
  [
    'the exported model is cut off',
    async () => ({ [ONNX]: (await readFile(join(fixturePath(EXPORTED), ONNX))).subarray(0, 20_000) }),
    'model_invalid',
    'is it truncated?',
  ],
  [
    'the exported model’s weights are missing',
    () => ({ 'onnx/model.onnx_data': undefined }),
    'model_invalid',
    'onnx/model.onnx has weights in model.onnx_data beside it, which is missing',
  ],
  [
    'the exported model’s weights lie outside',
    () => renamed('model.onnx_data', '../../../abc.de'),
    'model_invalid',
    '"../../../abc.de"',
    'no file of its folder',
  ],
  [
    'the exported model’s weights have an absolute path',
    () => renamed('model.onnx_data', '/etc/ssl/passwd'),
    'model_invalid',
    '"/etc/ssl/passwd"',
  ],
  [
    'the exported model asks for more than a text',
    () => renamed('token_type_ids', 'past_key_value'),
    'model_unsupported',
    ONNX,
    'the input past_key_value',
    'input_ids, attention_mask, token_type_ids, position_ids',
  ],
  [
    'the exported model has no mask',
    () => renamed('attention_mask', 'token_type_ids'),
    'model_unsupported',
    'no input attention_mask',
  ],
  [
    'the exported model has another width than config.json',
    async () => ({
      'config.json': { ...(await readObject(join(fixturePath(EXPORTED), 'config.json'))), hidden_size: 48 },
    }),
    'model_invalid',
    `${ONNX} gives 32 numbers as token_embeddings`,
    'hidden_size of config.json has 48',
  ],
  [
    'a Dense module does not fit the exported model',
    () => ({
      '2_Dense/model.safetensors': safetensors({ 'linear.weight': ones(24, 31), 'linear.bias': ones(24) }),
    }),
    'model_invalid',
    'a Dense module takes 31 numbers; it is given 64',
  ],
  [
    'config.json has no vocab_size beside an exported model',
    async () => ({
      'config.json': {
        ...(await readObject(join(fixturePath(EXPORTED), 'config.json'))),
        vocab_size: undefined,
      },
    }),
    'model_invalid',
    'vocab_size in config.json is missing',
  ],
  [
    'the exported model is a classifier without logits',
    async () => ({
      'config.json': {
        ...(await readObject(join(fixturePath(EXPORTED), 'config.json'))),
        architectures: ['BertForSequenceClassification'],
        num_labels: 2,
      },
      'modules.json': undefined,
    }),
    'model_invalid',
    `${ONNX} gives 24 numbers as sentence_embedding; the list of labels has 2`,
  ],
]

test.each(FOLDERS_OF_EXPORTED.map(([fault, ...rest]) => ({ fault, rest })))(
  'a folder where $fault is refused',
  async ({ rest: [files, code, ...parts] }) => {
    const folder = await copyFixture(EXPORTED, await files())
    await expectRefusal(() => load(folder), code, ...parts)
  },
)

test('a tokenizer whose special tokens the model lacks is refused', async () => {
  const path = join(await copyFixture(EMBEDDER), 'tokenizer.json')
  const { post_processor: processor } = await readObject(path)
  const specials = { '[CLS]': { id: '[CLS]', ids: [99_999], tokens: ['[CLS]'] } }
  const own = (processor as { special_tokens: object }).special_tokens
  const changed = { ...(processor as object), special_tokens: { ...own, ...specials } }
  const folder = await copyFixture(EMBEDDER, {
    'tokenizer.json': await tokenizer({ post_processor: changed }),
  })
  await expectRefusal(() => load(folder), 'model_invalid', 'token id 99999', 'below 400')
})

test('a settings file of a giant size is refused unread', async () => {
  const folder = await copyFixture(EMBEDDER)
  await truncate(join(folder, 'config.json'), 200_000_000)
  await expectRefusal(() => load(folder), 'model_invalid', 'config.json', '200000000 bytes')
})

const PIPES: readonly (readonly [pipe: string, files?: Files])[] = [
  ['config.json'],
  ['modules.json'],
  ['1_Pooling/config.json'],
  ['2_Dense/config.json'],
  ['2_Dense/model.safetensors'],
  ['tokenizer.json'],
  ['tokenizer_config.json'],
  ['config_sentence_transformers.json'],
  ['sentence_bert_config.json'],
  ['model.safetensors'],
  ['pytorch_model.bin', NO_WEIGHTS],
  ['model.safetensors.index.json', NO_WEIGHTS],
  [
    'x.safetensors',
    { ...NO_WEIGHTS, 'model.safetensors.index.json': { weight_map: { a: 'x.safetensors' } } },
  ],
  ['vocab.txt', { 'tokenizer.json': undefined }],
  ['added_tokens.json', { 'tokenizer.json': undefined, 'vocab.txt': '[UNK]\n[CLS]\n[SEP]\n' }],
  [
    'spiece.model',
    { 'tokenizer.json': undefined, 'tokenizer_config.json': { tokenizer_class: 'T5Tokenizer' } },
  ],
]

test.each(PIPES.map(([pipe, files = {}]) => ({ pipe, files })))(
  'a pipe in place of $pipe is not waited for',
  async ({ pipe, files }) => {
    const folder = await copyFixture(EMBEDDER, files)
    await rm(join(folder, pipe), { force: true })
    execFileSync('mkfifo', [join(folder, pipe)])
    await expectRefusal(() => load(folder), 'model_invalid')
  },
)

test('weights that are cut off anywhere are refused', async () => {
  for (const length of [7, 8, 100, 5000, 50_000]) {
    const folder = await copyFixture(EMBEDDER)
    await truncate(join(folder, WEIGHTS), length)
    await expectRefusal(() => load(folder), 'model_invalid', WEIGHTS)
  }
})

/** The fixture as a snapshot in a cache of the hub, with a link of this name to this place. */
async function snapshotWith(name: string, target: string): Promise<string> {
  const plain = await copyFixture(EMBEDDER)
  const folder = join(dirname(plain), 'hub/models--org--name/snapshots/0123')
  await mkdir(dirname(folder), { recursive: true })
  await rename(plain, folder)
  const moved = join(dirname(plain), 'hub', target)
  await mkdir(dirname(moved), { recursive: true })
  await rename(join(folder, name), moved)
  await rm(join(folder, name), { recursive: true, force: true })
  await symlink(moved, join(folder, name))
  return folder
}

test.each([WEIGHTS, 'config.json', '1_Pooling', '1_Pooling/config.json'])(
  'a snapshot whose %s is a link out of its model’s cache is refused by both paths',
  async (name) => {
    const folder = await snapshotWith(name, 'models--org--name-2/blobs/x')
    await expectRefusal(
      () => load(folder),
      'model_invalid',
      `${name} is a link to`,
      'models--org--name-2/blobs/x',
    )
  },
)

test('a snapshot whose file is a link to a link out of its model’s cache is refused', async () => {
  const folder = await snapshotWith(WEIGHTS, 'elsewhere/x')
  const blob = join(folder, '../../blobs/y')
  await mkdir(dirname(blob), { recursive: true })
  await rename(join(folder, WEIGHTS), blob)
  await symlink(blob, join(folder, WEIGHTS))
  await expectRefusal(() => load(folder), 'model_invalid', `${WEIGHTS} is a link to`, 'elsewhere/x')
})

test('a snapshot’s link that ends nowhere is judged by where it points', async () => {
  const folder = await snapshotWith(WEIGHTS, 'models--org--name/blobs/x')
  await symlink('/nowhere/at/all', join(folder, 'left'))
  await expectRefusal(() => load(folder), 'model_invalid', 'left is a link to /nowhere/at/all')
  await rm(join(folder, 'left'))
  await symlink('../../blobs/missing', join(folder, 'left'))
  expect(await load(folder)).toBeUndefined()
})

test('a snapshot whose files are links into its own blobs is read', async () => {
  expect(await load(await snapshotWith(WEIGHTS, 'models--org--name/blobs/x'))).toBeUndefined()
})

test('a cache that is reached under another name than its links say is read', async () => {
  const folder = await snapshotWith(WEIGHTS, 'models--org--name/blobs/x')
  const hub = join(folder, '../../..')
  const other = join(dirname(hub), 'other')
  await symlink(hub, other)
  expect(await load(join(other, 'models--org--name/snapshots/0123'))).toBeUndefined()
})
