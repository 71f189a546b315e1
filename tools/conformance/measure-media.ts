/** A golden fixture of a model that sees or hears, on the inference thread as the engine asks it: its towers' vectors, and its texts'. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CPU } from '../../src/devices/device.ts'
import type { ModelSpec } from '../../src/model/spec.ts'
import { openFolder } from '../../src/model/open-folder.ts'
import { InferenceThread } from '../../src/runtime/inference-thread.ts'
import type { RaggedRow, Runner } from '../../src/runtime/runner.ts'
import { joinRows } from '../../src/runtime/runner.ts'
import { TokenizerThread } from '../../src/tokenize/tokenizer.ts'
import type { SoundCase } from '../../tests/golden/media-golden.ts'
import { openMediaGolden, soundRow, textRow } from '../../tests/golden/media-golden.ts'
import type { Measured } from './measure.ts'
import { cosineOf, differenceOf } from './measure.ts'

interface Asked {
  readonly row: RaggedRow
  readonly vector: readonly number[]
}

/** Prepared pictures one by one, and texts. `folder`: of golden.json and model/. */
export async function measurePictures(folder: string): Promise<Measured> {
  const { spec, images, rows, texts } = await openMediaGolden(folder)
  const pictures = images.map(({ vector }, index) => ({ row: rows[index] as RaggedRow, vector }))
  const measured = await measure(spec, [
    ...pictures,
    ...texts.map(({ ids, vector }) => ({ row: textRow(ids), vector })),
  ])
  return { ...measured, sameIds: images.length + (await countSame(spec, texts)) }
}

/** Prepared sounds one by one. What its texts give is measured as of any model of texts. */
export async function measureSounds(folder: string): Promise<Measured> {
  const spec = await openFolder(join(folder, 'model'))
  const { sounds } = JSON.parse(readFileSync(join(folder, 'golden.json'), 'utf8')) as {
    sounds: readonly SoundCase[]
  }
  const measured = await measure(
    spec,
    sounds.map((sound) => ({ row: soundRow(sound, spec), vector: sound.vector })),
  )
  return { ...measured, sameIds: sounds.length }
}

async function measure(spec: ModelSpec, asked: readonly Asked[]): Promise<Omit<Measured, 'sameIds'>> {
  const runner = await new InferenceThread().load(spec, { target: 'cpu-f32', device: CPU, threadCount: 2 })
  try {
    const pairs = []
    for (const { row, vector } of asked) pairs.push({ actual: await vectorOf(runner, row), expected: vector })
    return {
      cases: pairs.length,
      difference: Math.max(...pairs.map(differenceOf)),
      cosine: Math.min(...pairs.map(cosineOf)),
    }
  } finally {
    await runner.close()
  }
}

async function vectorOf({ run, limits }: Runner, row: RaggedRow): Promise<Float32Array> {
  return (await run(joinRows([row]))).rows.subarray(0, limits.vectorWidth)
}

async function countSame(
  { tokenizer: settings }: ModelSpec,
  texts: readonly { readonly text: string; readonly ids: readonly number[] }[],
): Promise<number> {
  if (settings === undefined) return 0
  const threads = new TokenizerThread()
  try {
    const tokenizer = await threads.open(settings)
    const { truncationSide: truncate, maxTokens = Infinity, fill } = settings
    const options = { noun: 'text', firstIndex: 0, truncate, maxTokens, vocabularySize: Infinity, fill }
    const given = await Promise.all(
      texts.map(({ text }) => tokenizer.texts([text], { text: '', pooled: true }, options)),
    )
    return given.filter(({ ids }, index) => ids.join() === texts[index]?.ids.join()).length
  } finally {
    await threads.close()
  }
}
