/** Every spelling of a request to embed. */
import { describe, expect, test } from 'vitest'
import { dispatch } from '../../../../src/dialects/dispatch.ts'
import { readEmbedAnyRequest, readEmbedRequest } from '../../../../src/dialects/requests/embed-request.ts'
import { FakeService } from '../../../fakes/service.ts'

function read(fields: object, { pathModel }: { pathModel?: string } = {}) {
  const service = new FakeService()
  const body = { input: 'a', ...fields }
  return readEmbedRequest({ body, fields: ['input'], pathModel, service, options: {} })
}

async function formats(fields: object) {
  const { encodings } = await read(fields)
  return encodings.formats.map(({ name, format }) => [name, format.dtype, format.base64])
}

describe('the texts', () => {
  test.each(['input', 'inputs', 'texts', 'text', 'sentences'])('may be called %s', async (field) => {
    const service = new FakeService()
    await dispatch({ route: '/v1/embeddings', body: { [field]: ['a', 'b'] } }, service)
    expect(service.tasks).toMatchObject([{ texts: ['a', 'b'] }])
  })

  test('are those of the likeliest name that is given', async () => {
    const service = new FakeService()
    await dispatch({ route: '/v1/embeddings', body: { input: null, text: 'a', inputs: 'b' } }, service)
    expect(service.tasks).toMatchObject([{ texts: ['b'] }])
  })
})

describe('the model', () => {
  test.each([
    [{ model: 'M' }, 'M'],
    [{ model_id: 'M' }, 'M'],
    [{ model: 'M', model_id: 'N' }, 'M'],
    [{ model: '', model_id: 'N' }, 'N'],
    [{ model: null }, undefined],
    [{}, undefined],
  ])('of %j is %s', async (fields, name) => {
    const request = await read(fields)
    expect([request.name, request.task.model]).toEqual([name, name])
  })

  test('of the path says more than that of the body', async () => {
    expect((await read({ model: 'M' }, { pathModel: 'P' })).task.model).toBe('P')
  })

  test('has a name that is worth an answer', async () => {
    await expect(read({ model: 'x'.repeat(257) })).rejects.toThrow('it must be at most 256')
    expect((await read({ model: 'x'.repeat(256) })).name).toHaveLength(256)
  })
})

describe('the encoding', () => {
  const FLOAT = [['float', 'float', false]]

  test.each([
    [{}, FLOAT],
    [{ encoding_format: null }, FLOAT],
    [{ encoding_format: 'float' }, FLOAT],
    [{ encoding_format: 'base64' }, [['base64', 'float', true]]],
    [{ embedding_type: 'int8' }, [['int8', 'int8', false]]],
    [{ encoding_type: 'binary' }, [['binary', 'binary', false]]],
    [{ embedding_types: ['uint8'] }, [['uint8', 'uint8', false]]],
    [{ embedding_types: [] }, FLOAT],
    [
      { embedding_types: ['float', 'ubinary', 'float'] },
      [
        ['float', 'float', false],
        ['ubinary', 'ubinary', false],
      ],
    ],
    [{ output_dtype: 'int8' }, [['int8', 'int8', false]]],
    [{ output_dtype: 'float' }, FLOAT],
    [{ output_dtype: 'uint8', encoding_format: 'base64' }, [['uint8', 'uint8', true]]],
    [{ output_dtype: 'float', encoding_format: 'base64' }, [['float', 'float', true]]],
    [{ output_dtype: null, encoding_format: 'base64' }, [['base64', 'float', true]]],
    [{ encoding_format: null, embedding_type: 'int8', encoding_type: 'float' }, [['int8', 'int8', false]]],
  ])('of %j', async (fields, expected) => {
    expect(await formats(fields)).toEqual(expected)
  })

  test('is one of few: a list of more than anybody sets is refused by its length', async () => {
    const list = (length: number) => Array.from({ length }, () => 'float')
    expect(await formats({ embedding_types: list(64) })).toEqual(FLOAT)
    await expect(read({ embedding_types: ['float', 'nope'] })).rejects.toThrow(
      'embedding_types[1] is "nope"; it must be one of float, base64, ',
    )
    await expect(read({ embedding_types: list(65) })).rejects.toThrow(
      'embedding_types is a list of 65; it may have',
    )
  })

  test('is named in the answer where several are wanted', async () => {
    expect((await read({ embedding_type: ['float'] })).encodings.areMany).toBe(false)
    expect((await read({ embedding_type: ['float', 'float'] })).encodings.areMany).toBe(false)
    expect((await read({ embedding_type: ['float', 'int8'] })).encodings.areMany).toBe(true)
  })
})

describe('the other settings', () => {
  test.each([
    [{}, { dimensions: undefined, normalize: undefined, lateChunking: undefined, maxTokens: undefined }],
    [{ dimensions: 64 }, { dimensions: 64 }],
    [{ output_dimension: 64 }, { dimensions: 64 }],
    [{ dimensions: 0, output_dimension: '64' }, { dimensions: 64 }],
    [{ dimensions: 32, output_dimension: 64 }, { dimensions: 32 }],
    [{ normalize: false }, { normalize: false }],
    [{ normalized: true }, { normalize: true }],
    [{ normalize: false, normalized: true }, { normalize: false }],
    [{ normalize: null, normalized: 'false' }, { normalize: false }],
    [{ late_chunking: true }, { lateChunking: true }],
    [
      { truncate: 'END', max_tokens: 5 },
      { truncate: 'right', maxTokens: 5 },
    ],
    [{ input_type: 'query' }, { prompt: { name: 'query', ifUnknown: 'ignore' } }],
    [{ prompt: 'p: ' }, { prompt: { text: 'p: ' } }],
    [{ modality: 'text' }, { kind: 'embed' }],
  ])('%j mean %j', async (fields, task) => {
    expect((await read(fields)).task).toEqual(expect.objectContaining(task))
  })

  test.each(['image', 'audio'])('modality %s is refused where text only is taken', async (modality) => {
    await expect(read({ modality })).rejects.toEqual(
      expect.objectContaining({
        code: 'wrong_task',
        message: `modality is "${modality}"; text only is taken here`,
      }),
    )
  })
})

describe('images and audio', () => {
  const URL = 'https://a.test/x'
  const IMAGE = { modality: 'image', name: 'input[0]', source: { url: URL } }

  function readAny(fields: object, modality?: 'image' | 'audio') {
    const body = { input: [URL], ...fields }
    const service = new FakeService({ mediaMaxBytes: 3 })
    return readEmbedAnyRequest({ body, fields: ['input'], service, options: {}, modality })
  }

  test.each([
    [{}, undefined, { kind: 'embed', texts: [URL] }],
    [{ modality: 'text' }, undefined, { kind: 'embed', texts: [URL] }],
    [{ modality: null }, undefined, { kind: 'embed', texts: [URL] }],
    [{ modality: 'image' }, undefined, { kind: 'embed_media', items: [IMAGE] }],
    [{ modality: 'audio' }, undefined, { kind: 'embed_media', items: [{ ...IMAGE, modality: 'audio' }] }],
    // the route says it
    [{ modality: 'text' }, 'image', { kind: 'embed_media', items: [IMAGE] }],
    [{ modality: 'audio' }, 'image', { kind: 'embed_media', items: [IMAGE] }],
    [{ modality: 'image', input: [{ text: 'a' }] }, undefined, { kind: 'embed', texts: ['a'] }],
  ] as const)('%j on a route of %s', async (fields, modality, task) => {
    expect((await readAny(fields, modality)).task).toEqual(expect.objectContaining(task))
  })

  test('have the settings of texts', async () => {
    const fields = {
      model: 'M',
      dimensions: 4,
      normalized: false,
      prompt: 'p',
      truncate: false,
      max_tokens: 5,
    }
    const { name, task, encodings } = await readAny({ ...fields, modality: 'image', encoding_format: 'int8' })
    expect([name, encodings.formats[0]?.name]).toEqual(['M', 'int8'])
    expect(task).toEqual({
      kind: 'embed_media',
      items: [IMAGE],
      model: 'M',
      dimensions: 4,
      normalize: false,
      prompt: { text: 'p' },
      truncate: 'none',
      maxTokens: 5,
    })
  })

  test('are no chunks of a document', async () => {
    const late = { late_chunking: true }
    await expect(readAny({ ...late, modality: 'image' })).rejects.toEqual(
      expect.objectContaining({
        code: 'invalid_request',
        message: 'late_chunking is true; it is for chunks of a text, and there are images or audio',
      }),
    )
    expect((await readAny(late)).task).toMatchObject({ kind: 'embed', lateChunking: true })
    expect((await readAny({ late_chunking: false, modality: 'image' })).task.kind).toBe('embed_media')
  })

  test('may be as large as the server says', async () => {
    await expect(readAny({ input: [{ image: 'AAAAAAAA' }] })).rejects.toThrow(
      'input[0] has some 6 bytes; at most 3 are taken (MEDIA_MAX_MB)',
    )
    expect((await readAny({ input: [{ image: 'AAAA' }] })).task.kind).toBe('embed_media')
  })

  test('are held to what the server says on the way through the dialects', async () => {
    const service = new FakeService({ mediaMaxBytes: 3 })
    const body = { input: [{ image: 'AAAAAAAA' }] }
    const { error } = await dispatch({ route: '/v1/embeddings', body }, service)
    expect(error?.message).toMatch('at most 3 are taken')
    expect(service.tasks).toEqual([])
  })

  test('are told apart from texts by the server that counts their characters', async () => {
    const service = new FakeService()
    const input = ['ab', { image: URL }, 'c']
    const { headers, status } = await dispatch({ route: '/v1/embeddings', body: { input } }, service)
    expect([status, headers['x-compute-characters']]).toEqual([200, '3'])
  })
})

describe('integers', () => {
  test.each([
    [{}, undefined, 'client'],
    [{ token_vocab: null }, undefined, 'client'],
    [{ token_vocab: 'cl100k' }, undefined, 'cl100k'],
    [{ token_vocab: 'native' }, undefined, 'model'],
    [{ token_vocab: 'cl100k' }, 'model', 'model'],
  ] as const)('with %j on a route of vocabulary %s are %s', async (fields, vocabulary, expected) => {
    const service = new FakeService()
    const body = { ...fields, model: 'M', input: [1, 2] }
    await readEmbedRequest({
      body,
      fields: ['input'],
      service,
      options: {},
      ...(vocabulary && { vocabulary }),
    })
    expect(service.tasks).toMatchObject([{ kind: 'decode', model: 'M', ids: [[1, 2]], vocabulary: expected }])
  })
})
