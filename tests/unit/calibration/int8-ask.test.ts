/** Texts that calibrate a model in 8 bits are the rows that it is served. */
import { expect, test } from 'vitest'
import { makeInt8Ask } from '../../../src/calibration/int8-ask.ts'
import { openFolder } from '../../../src/model/open-folder.ts'
import { tokenizerOf } from '../../../src/model/spec.ts'
import type { RaggedBatch } from '../../../src/runtime/runner.ts'
import { TokenizerThread } from '../../../src/tokenize/tokenizer.ts'
import { fixturePath } from '../model/model-folder.ts'

async function askFor(fixture: string) {
  const spec = await openFolder(fixturePath(fixture))
  const tokenizers = new TokenizerThread()
  try {
    const tokenizer = await tokenizers.open(tokenizerOf(spec))
    return { spec, ask: await makeInt8Ask('balanced', { spec, tokenizer, isForced: false }) }
  } finally {
    await tokenizers.close()
  }
}

function lengthsOf({ bounds }: RaggedBatch): number[] {
  return [...bounds.subarray(1)].map((end, row) => end - (bounds[row] as number))
}

test('texts are filled up where the model reads them so, and are as long as they are elsewhere', async () => {
  const { spec, ask } = await askFor('_siglip/siglip')
  const { fill } = tokenizerOf(spec)
  if (fill === undefined) throw new Error('the fixture fills nothing up')
  for (const batch of [ask.calibration, ask.trial]) {
    expect(new Set(lengthsOf(batch))).toEqual(new Set([fill.tokens]))
    expect(batch.ids.at(-1)).toBe(fill.id)
  }
  const { ask: other } = await askFor('bert-cls')
  expect(new Set(lengthsOf(other.calibration)).size).toBeGreaterThan(5)
})
