/** Hugging Face's official client, which speaks as Text Embeddings Inference does. */
import { join } from 'node:path'
import { InferenceClient } from '@huggingface/inference'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ROOT } from '../e2e/run-handler.ts'
import type { Program } from '../start-program.ts'
import { startProgram } from '../start-program.ts'
import { largestDifference } from './compare.ts'
import { describeClient } from './describe-client.ts'
import { openTap } from './open-tap.ts'
import { TEXTS } from './samples.ts'
import { KEY, plainVectors, serve } from './serve.ts'

let embedder: Program
let classifier: Program

beforeAll(async () => {
  // clients of TEI name no model: there is one for each server
  embedder = await serve({ MODEL_NAMES: 'models/all-MiniLM-L6-v2-int8' })
  classifier = await serve({ MODEL_NAMES: 'tests/golden/bert/bert-cross-encoder-3-labels/model' })
})

afterAll(() => Promise.all([embedder.stop(), classifier.stop()]))

const client = new InferenceClient(KEY)

const WORKS = 'featureExtraction, sentenceSimilarity, textClassification'
describeClient(
  '@huggingface/inference',
  { baseUrl: 'H/embed, H/similarity, H/predict, H/', works: WORKS },
  () => {
    test.each(['/embed', '/', ''])('featureExtraction at "%s" has the vectors', async (path) => {
      const endpointUrl = embedder.found + path
      const vectors = (await client.featureExtraction({ endpointUrl, inputs: TEXTS })) as number[][]
      expect(largestDifference(vectors, await plainVectors(embedder.found, TEXTS))).toBeLessThanOrEqual(1e-6)
      const one = (await client.featureExtraction({ endpointUrl, inputs: 'hello world' })) as number[][]
      expect(one).toEqual([vectors[1]])
    })

    test.each(['/similarity', '/'])('sentenceSimilarity at "%s" has the cosines', async (path) => {
      const [source = '', ...sentences] = TEXTS.slice(0, 3)
      const inputs = { source_sentence: source, sentences }
      const similarities = await client.sentenceSimilarity({ endpointUrl: embedder.found + path, inputs })
      const [first = [], ...others] = await plainVectors(embedder.found, TEXTS.slice(0, 3))
      const cosines = others.map((other) =>
        other.reduce((sum, value, at) => sum + value * (first[at] ?? NaN), 0),
      )
      expect(largestDifference([similarities], [cosines])).toBeLessThanOrEqual(1e-6)
    })

    test.each(['/predict', '/'])('textClassification at "%s" has a score for each label', async (path) => {
      const inputs = [['a bear']] as unknown as string
      const labels = await client.textClassification({ endpointUrl: classifier.found + path, inputs })
      const found = Array.isArray(labels[0]) ? labels[0] : labels
      expect(found.length).toBe(3)
      expect(found.reduce((sum, { score }) => sum + score, 0)).toBeCloseTo(1, 5)
    })

    test('a mistake is a client error with the message', async () => {
      const asked = client.featureExtraction({ endpointUrl: `${embedder.found}/embed`, inputs: [] })
      await expect(asked).rejects.toThrow('inputs is an empty list')
    })

    test('a wrong key is said to be one', async () => {
      const asked = new InferenceClient('another-key').featureExtraction({
        endpointUrl: `${embedder.found}/embed`,
        inputs: 'a',
      })
      await expect(asked).rejects.toThrow('is not the API_KEY of this server')
    })

    test('while the model loads it asks no more than a handful of times', async () => {
      // told 503, it asks again at once, and without an end
      const loading = await startProgram({
        file: join(ROOT, 'handler.ts'),
        args: ['--rp_serve_api', '--rp_api_port', '0'],
        until: /"address":"(http[^"]+)"/,
      })
      await using tap = await openTap(loading.found)
      const asked = client.featureExtraction({ endpointUrl: `${tap.url}/embed`, inputs: 'hello world' })
      const outcome = await asked.then(
        (vectors) => `${vectors.length} vector`,
        (error: Error) => error.message,
      )
      await loading.stop()
      expect(outcome).toMatch(/^1 vector$|the models are being loaded/)
      expect(tap.requests.length).toBeLessThanOrEqual(5)
    })
  },
)
