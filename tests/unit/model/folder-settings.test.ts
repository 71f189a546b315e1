/** The head, prompts and limits that a folder asks for, and which file has the last word. */
import { describe, expect, test } from 'vitest'
import { openFolder } from '../../../src/model/open-folder.ts'
import { expectRefusal } from './expect-refusal.ts'
import type { Files } from './model-folder.ts'
import { copyFixture, patched } from './model-folder.ts'

const TORCH = 'torch.nn.modules.activation'
const CLASSIFIER = 'bert-cross-encoder'
const EMBEDDER = 'bert-cls'

/** The fixture with keys of its config.json replaced, and with other files. */
async function open(fixture: string, config: object, files: Files = {}) {
  const json = await patched(fixture, 'config.json', config)
  return openFolder(await copyFixture(fixture, { 'config.json': json, ...files }))
}

describe('a classifier', () => {
  const modules = [{ idx: 0, path: '', type: 'sentence_transformers.base.modules.transformer.Transformer' }]
  const first: Files = {
    'modules.json': modules,
    'config_sentence_transformers.json': { activation_fn: `${TORCH}.ReLU` },
  }
  const second = { sentence_transformers: { activation_fn: `${TORCH}.Tanh` } }
  const third = { sbert_ce_default_activation_function: 'torch.nn.modules.linear.Identity' }

  test.each([
    ['config_sentence_transformers.json first', { ...second, ...third }, first, 'relu'],
    ['then sentence_transformers of config.json', { ...second, ...third }, {}, 'tanh'],
    ['then its old key', third, {}, 'identity'],
    ['then the sigmoid', {}, {}, 'sigmoid'],
  ])('of one label takes its activation from %s', async (_, config, files, activation) => {
    expect((await open(CLASSIFIER, config, files)).head).toMatchObject({ activation })
  })

  test('without modules.json ignores config_sentence_transformers.json', async () => {
    const { 'modules.json': _, ...files } = first
    expect((await open(CLASSIFIER, {}, files)).head).toMatchObject({ activation: 'sigmoid' })
  })

  test('of several labels makes them probabilities, of all or of each, unless an activation is named', async () => {
    const labels = { id2label: { 0: 'a', 1: 'b' } }
    expect((await open(CLASSIFIER, labels)).head).toMatchObject({ activation: 'softmax' })
    const multi = { ...labels, problem_type: 'multi_label_classification' }
    expect((await open(CLASSIFIER, multi)).head).toMatchObject({ activation: 'sigmoid' })
    const named = await open(CLASSIFIER, { ...labels, ...second })
    expect(named.head).toMatchObject({ activation: 'tanh' })
  })

  test('with an activation of somebody else takes the default, as the reference does', async () => {
    const config = { sentence_transformers: { activation_fn: 'somebody.own.Function' } }
    expect((await open(CLASSIFIER, config)).head).toMatchObject({ activation: 'sigmoid' })
  })

  test('with a torch activation that we lack is refused by its path', async () => {
    const path = `${TORCH}.Hardtanh`
    await expectRefusal(
      () => open(CLASSIFIER, { sentence_transformers: { activation_fn: path } }),
      'model_unsupported',
      'model: activation',
      path,
      'Sigmoid',
    )
  })

  test.each([
    ['id2label, by index and not by place', { id2label: { 2: 'c', 0: 'a', 1: 'b' } }, ['a', 'b', 'c']],
    [
      'id2label, whose count wins over num_labels',
      { id2label: { 0: 'a', 2: 'c' }, num_labels: 3 },
      ['a', 'LABEL_1'],
    ],
    ['id2label above nine', idsToTwelve(), Object.values(idsToTwelve().id2label)],
    ['num_labels', { id2label: undefined, num_labels: 3 }, ['LABEL_0', 'LABEL_1', 'LABEL_2']],
    ['the default of transformers', { id2label: undefined }, ['LABEL_0', 'LABEL_1']],
  ])('takes its labels from %s', async (_, config, labels) => {
    expect((await open(CLASSIFIER, config)).head).toMatchObject({ kind: 'classification', labels })
  })

  test('keeps its prompts', async () => {
    const settings = { prompts: { query: 'q: ' }, default_prompt_name: 'query' }
    const files = { ...first, 'config_sentence_transformers.json': settings }
    const spec = await open(CLASSIFIER, {}, files)
    expect(spec).toMatchObject({ prompts: { query: 'q: ' }, defaultPromptName: 'query' })
  })
})

function idsToTwelve() {
  return { id2label: Object.fromEntries(Array.from({ length: 12 }, (_, id) => [id, `label ${id}`])) }
}

test('a folder of any other architecture embeds', async () => {
  for (const architectures of [undefined, null, [], ['BertForMaskedLM']]) {
    expect((await open(EMBEDDER, { architectures })).head.kind).toBe('embedding')
  }
})

test('prompts, the default prompt and the cut are those of config_sentence_transformers.json', async () => {
  const files = {
    'config_sentence_transformers.json': {
      prompts: { query: 'query: ', document: '' },
      default_prompt_name: 'query',
      truncate_dim: 12,
    },
  }
  expect(await open(EMBEDDER, {}, files)).toMatchObject({
    prompts: { query: 'query: ', document: '' },
    defaultPromptName: 'query',
    truncateDimensions: 12,
  })
})

test('nulls of config_sentence_transformers.json mean what absence means', async () => {
  const settings = { prompts: null, default_prompt_name: null, truncate_dim: null, activation_fn: null }
  const spec = await open(EMBEDDER, {}, { 'config_sentence_transformers.json': settings })
  expect(spec).toMatchObject({ prompts: {}, defaultPromptName: undefined, truncateDimensions: undefined })
})

test('a folder without modules.json has no prompts, as in the reference', async () => {
  const files = {
    'modules.json': undefined,
    'config_sentence_transformers.json': { prompts: { query: 'q: ' }, default_prompt_name: 'query' },
  }
  expect(await open(EMBEDDER, {}, files)).toMatchObject({ prompts: {}, defaultPromptName: undefined })
})

test.each([
  // max_seq_length, model_max_length, max_position_embeddings, the limit
  [24, 32, 72, 24],
  [48, 32, 72, 48],
  [96, 32, 72, 72],
  [undefined, 32, 72, 32],
  [null, 96, 72, 72],
  [undefined, 1e30, 72, 72],
  [undefined, undefined, 72, 72],
  [undefined, 32, undefined, 32],
  [undefined, 1e30, undefined, undefined],
  [undefined, undefined, undefined, undefined],
])(
  'max_seq_length %s, model_max_length %s and %s positions allow %s tokens',
  async (own, tokenizer, positions, limit) => {
    const spec = await open(
      EMBEDDER,
      { max_position_embeddings: positions },
      {
        'sentence_bert_config.json': { max_seq_length: own },
        'tokenizer_config.json': { model_max_length: tokenizer },
      },
    )
    expect(spec.tokenizer?.maxTokens).toBe(limit)
  },
)

test('the first of the Transformer config names that exists is read, and no other', async () => {
  const files = {
    'sentence_roberta_config.json': { max_seq_length: 20, do_lower_case: true },
    'sentence_xlnet_config.json': { max_seq_length: 10 },
  }
  const renamed = await open(EMBEDDER, {}, { 'sentence_bert_config.json': undefined, ...files })
  expect(renamed.tokenizer).toMatchObject({ maxTokens: 20, lowerCase: true })
  const both = await open(EMBEDDER, {}, { 'sentence_bert_config.json': { max_seq_length: 30 }, ...files })
  expect(both.tokenizer).toMatchObject({ maxTokens: 30, lowerCase: false })
})

test('a folder without tokenizer_config.json is limited by its positions', async () => {
  const spec = await open(EMBEDDER, {}, { 'tokenizer_config.json': undefined })
  expect(spec.tokenizer).toMatchObject({ maxTokens: 72, truncationSide: 'right' })
})

const LEFT = { truncation: { direction: 'Left', max_length: 8, strategy: 'LongestFirst', stride: 0 } }
const RIGHT = { truncation: { ...LEFT.truncation, direction: 'Right' } }

test.each([
  ['the right end by default', {}, { truncation: null }, 'right'],
  ['the side that tokenizer.json names', {}, LEFT, 'left'],
  [
    'the side that tokenizer.json names, written on one line or many',
    {},
    JSON.stringify(LEFT, null, 2),
    'left',
  ],
  ['the side that tokenizer_config.json names', { truncation_side: 'left' }, { truncation: null }, 'left'],
  ['the side of tokenizer_config.json where both speak', { truncation_side: 'left' }, RIGHT, 'left'],
  ['the right end where tokenizer_config.json overrules', { truncation_side: 'right' }, LEFT, 'right'],
  [
    'the right end where only the padding is on the left',
    {},
    { truncation: { max_length: 8 }, padding: { direction: 'Left' } },
    'right',
  ],
])('a text is cut at %s', async (_, config, tokenizer, side) => {
  const files = { 'tokenizer_config.json': config, 'tokenizer.json': tokenizer }
  expect((await open(EMBEDDER, {}, files)).tokenizer?.truncationSide).toBe(side)
})
