/** The contract of every dialect: what holds whoever asks, for whatever. */
import { describe, expect, test } from 'vitest'
import type { z } from 'zod'
import { plainJson } from '../../../src/base/plain-json.ts'
import type { Endpoint } from '../../../src/dialects/dialect.ts'
import { ServerError } from '../../../src/errors.ts'
import type { Task } from '../../../src/task.ts'
import { runJob } from '../../../src/transports/runpod/job.ts'
import type { FakeServiceOptions } from '../../fakes/service.ts'
import { ask, askWell, openService, withoutIds } from './ask.ts'
import type { ErrorFamily } from './error-families.ts'
import { FAILURES, briefBody, errorBody, failureOf, paramOf, statusOf } from './error-families.ts'
import { isCount, isLimit, isSwitch, wrongValues } from './settings.ts'

export type Fields = Readonly<Record<string, unknown>>

export interface DialectCase {
  /** The client. */
  readonly name: string
  /** Undefined: a job without a route. */
  readonly endpoint: Endpoint | undefined
  /** As the client spells it. */
  readonly route: string | undefined
  readonly errors: ErrorFamily
  /** Of a body that tells nothing, where another endpoint of the route takes it. */
  readonly strangeErrors?: ErrorFamily
  /** Undefined: a request without a body. */
  readonly body?: Fields
  /** Fields that the request cannot do without. */
  readonly required?: readonly string[]
  /** The others that the endpoint reads. */
  readonly settings?: readonly string[]
  /** The field that holds the settings, where they do not stand beside the texts. */
  readonly settingsIn?: string
  readonly list?: ListCase
  readonly tasks: readonly Partial<Task>[]
  /** Ids and times aside. */
  readonly answer: unknown
  /** Where the endpoint's own schema says less than this client needs. */
  readonly response?: z.ZodType
  /** Whether the answer names the model. */
  readonly namesModel?: boolean
  readonly service?: FakeServiceOptions
}

/** The list that is answered item by item. */
export interface ListCase {
  /** Where it stands in the body. */
  readonly path: readonly [string, ...string[]]
  /** An item of this text; the text itself unless told. */
  readonly item?: (text: string) => unknown
  /** An item may be an object with a text. */
  readonly acceptsObjects?: boolean
  /** An item may be an image, or a sound. */
  readonly acceptsMedia?: boolean
  /** What the answer says of each item, in their order, places aside. */
  readonly read: (answer: never) => readonly unknown[]
}

export function testDialect(dialect: DialectCase): void {
  describe(dialect.name, () => {
    testAnswer(dialect)
    testJob(dialect)
    if (dialect.endpoint !== undefined) testMethod(dialect, dialect.endpoint)
    if (dialect.tasks.length > 0) testFailures(dialect)
    if (dialect.body === undefined) return
    testStrangeFields(dialect, dialect.body)
    testSettings(dialect)
    testWrongBodies(dialect)
    if (dialect.list !== undefined) testList(dialect, dialect.list)
    if (dialect.namesModel ?? false) testModelName(dialect)
  })
}

function testAnswer(dialect: DialectCase): void {
  test('is answered to the letter, by the tasks it means', async () => {
    const { body, tasks, response } = await askWell(dialect, dialect.body)
    expect(tasks).toEqual(dialect.tasks.map((task) => expect.objectContaining(task)))
    expect(body).toEqual(dialect.answer)
    expect(response).toMatchObject({ status: 200, route: dialect.endpoint?.routes[0] ?? 'job' })
    if (tasks.length > 0 && tasks.every(({ kind }) => kind !== 'tokenize' && kind !== 'decode'))
      expect(response).toMatchObject({ model: 'served-model', headers: { 'x-model': 'served-model' } })
  })
}

function testStrangeFields(dialect: DialectCase, body: Fields): void {
  test('is answered the same with fields that nobody knows', async () => {
    const strange = { foo: 1, user: 'u', priority: 3, webhook: null, service_tier: {}, constructor: [] }
    expect(await gist(dialect, { ...body, ...strange })).toEqual(await gist(dialect, body))
  })
}

function jobOf({ route, body, service }: DialectCase) {
  const input = route === undefined ? body : { openai_route: route, ...(body && { openai_input: body }) }
  return (options: FakeServiceOptions = {}) =>
    runJob({ input }, openService({ ...service, ...options }), { errorStyle: 'failed' })
}

function testJob(dialect: DialectCase): void {
  test('as a job it has the same answer, in a list unless that is a listing or the job has no route', async () => {
    const { route, endpoint } = dialect
    const asked = (await askWell(dialect, dialect.body)).body
    const isBare = route === undefined || endpoint?.routes[0] === '/v1/models'
    const result = await jobOf(dialect)()
    expect(withoutIds(await plainJson(result))).toEqual({ output: isBare ? asked : [asked] })
  })
}

function testMethod(dialect: DialectCase, endpoint: Endpoint): void {
  test('a method that it does not have is refused with the one that it has', async () => {
    const asked = { ...dialect, endpoint: { ...endpoint, ...PUT } }
    const { status, response, body } = await ask(asked, dialect.body)
    const message = `PUT is not possible on ${endpoint.routes[0]}; use ${endpoint.method}`
    expect({ status, body }).toEqual({
      status: 405,
      body: errorBody(failureOf('method_not_allowed'), dialect.errors, message),
    })
    expect(response.headers).toEqual({ allow: endpoint.method, 'x-should-retry': 'false' })
  })
}

const PUT = { method: 'PUT' as Endpoint['method'] }

function testFailures(dialect: DialectCase): void {
  const { errors, endpoint } = dialect

  test.each(FAILURES)('$code is told in its own shape, with when to come again', async (failure) => {
    const error = new ServerError(failure.code, 'item 3 is wrong', { retryAfterMs: 2500 })
    const { status, body, response } = await ask(dialect, dialect.body, { error })
    expect({ status, body }).toEqual({
      status: statusOf(failure, errors),
      body: errorBody(failure, errors, 'item 3 is wrong'),
    })
    expect(response).toMatchObject({ error, route: endpoint?.routes[0] ?? 'job' })
    expect(response.headers).toEqual(headersOf(failure.code, status))
  })

  test('as a job it fails with a string, which ends in what the dialect says', async () => {
    const error = new ServerError('overloaded', 'the queue is full')
    const brief = briefBody(failureOf('overloaded'), errors, error.message)
    expect(await jobOf(dialect)({ error })).toEqual({
      error: brief === undefined ? error.message : `${error.message} ${JSON.stringify(brief)}`,
    })
  })
}

/** OpenAI's clients are told what not to send again, and all clients when to come again. */
function headersOf(code: string, status: number): Record<string, string> {
  const mayHelp = ['overloaded', 'thread_died', 'revival_failed', 'starting', 'stopping'].includes(code)
  if (!mayHelp) {
    return { ...(status === 405 ? { allow: 'POST' } : {}), 'x-should-retry': 'false' }
  }
  return status === 500 ? {} : { 'retry-after': '3', 'retry-after-ms': '2500' }
}

function testSettings(dialect: DialectCase): void {
  const settings = (dialect.settings ?? []).filter((name) => !(dialect.required ?? []).includes(name))
  const same = async (name: string, first: unknown, second: unknown) =>
    expect(await gist(dialect, withSetting(dialect, name, first)), name).toEqual(
      await gist(dialect, withSetting(dialect, name, second)),
    )

  test('null is as good as absent, of every setting', async () => {
    for (const name of settings) await same(name, null, undefined)
  })

  test('zero is as good as absent, of every count', async () => {
    for (const name of settings.filter(isCount)) await same(name, 0, undefined)
  })

  test('-1 is as good as absent, of every limit of tokens', async () => {
    for (const name of settings.filter(isLimit)) await same(name, -1, undefined)
  })

  test('a count may be text', async () => {
    for (const name of settings.filter(isCount)) await same(name, '2', 2)
  })

  test('a switch may be text', async () => {
    for (const name of settings.filter(isSwitch)) {
      await same(name, 'true', true)
      await same(name, 'False', false)
    }
  })

  test('a setting of the wrong type is refused by its name and value', async () => {
    for (const name of dialect.settings ?? []) {
      for (const [value, says] of wrongValues(name)) {
        await expectRefusal(dialect, withSetting(dialect, name, value), says)
      }
    }
  })
}

function testWrongBodies(dialect: DialectCase): void {
  const { body = {}, required = [] } = dialect

  test.each([[undefined], [null], [[]], ['text'], [5], [true]])('%j is no request', async (wrong) => {
    await expectRefusal({ ...dialect, errors: dialect.strangeErrors ?? dialect.errors }, wrong, '')
  })

  test('a field that must be there is missed, by its name', async () => {
    for (const field of required) {
      const { [field]: _, ...rest } = body
      await expectRefusal(dialect, rest, 'missing')
      await expectRefusal(dialect, { ...rest, [field]: null }, 'missing')
    }
  })

  test('an image is told that text only is taken, where it is', async () => {
    if (dialect.list?.acceptsObjects !== true || dialect.list.acceptsMedia === true) return
    const { status, response } = await ask(dialect, withItems(dialect, [{ image: 'data:,x' }]))
    expect([status, response.error?.code]).toEqual([400, 'wrong_task'])
    expect(response.error?.message).toMatch(/"image"; text only is taken here$/)
  })
}

function testList(dialect: DialectCase, { path, item = (text) => text, read }: ListCase): void {
  const texts = ['a', 'a longer text', '', 'bbb', 'a', '👩🏽‍🚀é']
  const entries = async (list: readonly string[]) =>
    read((await askWell(dialect, withItems(dialect, list.map(item)))).body as never)

  test('every item has its own answer, in their order', async () => {
    const alone = []
    for (const text of texts) alone.push(...(await entries([text])))
    expect(await entries(texts)).toEqual(alone)
    expect(new Set(alone.map((entry) => JSON.stringify(entry))).size).toBeGreaterThan(3)
  })

  test('an image among texts has its vector in its place, where images are taken', async () => {
    if (dialect.list?.acceptsMedia !== true) return
    const image = { image: 'https://example.org/a.png' }
    const { body, tasks } = await askWell(dialect, withItems(dialect, [item('a'), image, item('bbb')]))
    const [first] = await entries(['a'])
    const [last] = await entries(['bbb'])
    expect(read(body as never)).toEqual([first, expect.anything(), last])
    const name = `${path.join('.')}[1]`
    const source = { url: 'https://example.org/a.png' }
    expect(tasks).toMatchObject([
      { kind: 'embed_media', items: ['a', { modality: 'image', name, source }, 'bbb'] },
    ])
  })

  test('many items have as many answers', async () => {
    expect(await entries(Array.from({ length: 2048 }, (_, index) => 'x'.repeat(index % 7)))).toHaveLength(
      2048,
    )
  })

  test('an empty list is refused', async () => {
    const message = `${path.join('.')} is an empty list; at least one item is needed`
    await expectRefusal(dialect, withItems(dialect, []), message)
  })

  test('an item of the wrong type is refused by its place and value', async () => {
    for (const [value, shown] of [
      [5.5, '5.5; '],
      [null, ''],
      [true, 'true; '],
    ] as const) {
      await expectRefusal(
        dialect,
        withItems(dialect, [item('ab'), value]),
        `${path.join('.')}[1] is ${shown}`,
      )
    }
  })

  test('anything but a list is refused', async () => {
    for (const [value, shown] of [
      [5, '5'],
      [true, 'true'],
    ] as const) {
      await expectRefusal(dialect, withItems(dialect, value), `${path.join('.')} is ${shown}; `)
    }
  })
}

function testModelName(dialect: DialectCase): void {
  test.each([
    ['Mine/Own', 'Mine/Own'],
    ['', 'served-model'],
    [null, 'served-model'],
    [undefined, 'served-model'],
  ])('a model asked for as %j is called %s', async (model, shown) => {
    expect((await askWell(dialect, withSetting(dialect, 'model', model))).body).toMatchObject({
      model: shown,
    })
  })
}

/** What a client and the engine see of it. */
async function gist(dialect: DialectCase, body: unknown): Promise<{ body: unknown; tasks: readonly Task[] }> {
  const asked = await askWell(dialect, body)
  return { body: asked.body, tasks: asked.tasks }
}

async function expectRefusal(dialect: DialectCase, body: unknown, says: string): Promise<void> {
  const { status, body: shown, response, tasks } = await ask(dialect, body)
  const message = response.error?.message ?? ''
  expect({ status, message, code: response.error?.code }, JSON.stringify(body)).toEqual({
    status: 400,
    message: expect.stringContaining(says),
    code: 'invalid_request',
  })
  expect(shown).toEqual(errorBody(failureOf('invalid_request'), dialect.errors, message, paramOf(shown)))
  expect(response.headers).toEqual({ 'x-should-retry': 'false' })
  expect(tasks.filter(({ kind }) => kind !== 'decode')).toEqual([])
}

function withSetting({ body = {}, settingsIn }: DialectCase, name: string, value: unknown): Fields {
  if (settingsIn === undefined || name === 'model') return withField(body, name, value)
  const settings = (body[settingsIn] ?? {}) as Fields
  return { ...body, [settingsIn]: withField(settings, name, value) }
}

/** Without the field where `value` is undefined. */
function withField(fields: Fields, name: string, value: unknown): Fields {
  const { [name]: _, ...rest } = fields
  return value === undefined ? rest : { ...rest, [name]: value }
}

/** With all answers wanted. */
function withItems({ body = {}, list }: DialectCase, items: unknown): Fields {
  const [first = '', second] = list?.path ?? []
  const { top_n: _, top_k: __, ...rest } = body
  return { ...rest, [first]: second === undefined ? items : { ...(rest[first] as Fields), [second]: items } }
}
