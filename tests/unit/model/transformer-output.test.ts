import { expect, test } from 'vitest'
import { expectOutput } from '../../../src/model/transformer-output.ts'
import { expectRefusal } from './expect-refusal.ts'
import { makeFolder } from './model-folder.ts'

const FILE = 'sentence_bert_config.json'

function textOutput(name: unknown) {
  return { modality_config: { text: { method: 'forward', method_output_name: name } } }
}

test.each([
  [{}, 'hidden'],
  [{ max_seq_length: 128, do_lower_case: false }, 'logits'],
  [{ transformer_task: 'feature-extraction', ...textOutput('last_hidden_state') }, 'hidden'],
  [textOutput(['last_hidden_state']), 'hidden'],
  [
    { transformer_task: 'fill-mask', ...textOutput('logits'), module_output_name: 'token_embeddings' },
    'logits',
  ],
] as const)('%j is read as it says', async (config, wanted) => {
  await expect(
    expectOutput(await makeFolder({ [FILE]: config }), wanted, 'some-model'),
  ).resolves.toBeUndefined()
})

test('older folders say nothing', async () => {
  await expect(expectOutput(await makeFolder(), 'hidden', 'some-model')).resolves.toBeUndefined()
})

test.each<[object, 'hidden' | 'logits', string, string]>([
  [{ transformer_task: 'fill-mask' }, 'hidden', 'transformer_task fill-mask', 'feature-extraction only'],
  [
    { transformer_task: 'feature-extraction' },
    'logits',
    'transformer_task feature-extraction',
    'fill-mask only',
  ],
  [textOutput('pooler_output'), 'hidden', 'method_output_name pooler_output', 'last_hidden_state only'],
  [
    textOutput(['hidden_states', -2]),
    'hidden',
    'method_output_name hidden_states.-2',
    'last_hidden_state only',
  ],
  [
    { module_output_name: 'sentence_embedding' },
    'hidden',
    'module_output_name sentence_embedding',
    'token_embeddings',
  ],
])('%j is refused for %s', async (config, wanted, ...parts) => {
  const folder = await makeFolder({ [FILE]: config })
  await expectRefusal(
    () => expectOutput(folder, wanted, 'some-model'),
    'model_unsupported',
    'some-model',
    ...parts,
  )
})
