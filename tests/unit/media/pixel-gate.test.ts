import { expect, test } from 'vitest'
import { PixelGate } from '../../../src/media/pixel-gate.ts'

/** Works that end when they are told. */
class Works {
  readonly running: string[] = []
  readonly #ends = new Map<string, (error?: Error) => void>()

  start(gate: PixelGate, name: string, pixels: number): Promise<string> {
    return gate.run(pixels, () => {
      this.running.push(name)
      return new Promise((resolve, reject) => {
        this.#ends.set(name, (error) => (error === undefined ? resolve(name) : reject(error)))
      })
    })
  }

  async end(name: string, error?: Error): Promise<void> {
    this.running.splice(this.running.indexOf(name), 1)
    this.#ends.get(name)?.(error)
    await settle()
  }
}

/** Every promise that can go on has gone on. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

test('as many run side by side as there is room for, in their order', async () => {
  const gate = new PixelGate(100, 2)
  const works = new Works()
  const all = ['a', 'b', 'c'].map((name) => works.start(gate, name, 10))
  await settle()
  expect(works.running).toEqual(['a', 'b'])
  await works.end('b')
  expect(works.running).toEqual(['a', 'c'])
  await works.end('a')
  await works.end('c')
  expect(await Promise.all(all)).toEqual(['a', 'b', 'c'])
})

test('pixels count too: a large one waits, and is not overtaken', async () => {
  const gate = new PixelGate(100, 3)
  const works = new Works()
  void works.start(gate, 'a', 60)
  void works.start(gate, 'large', 41)
  void works.start(gate, 'small', 1)
  await settle()
  expect(works.running).toEqual(['a'])
  await works.end('a')
  expect(works.running).toEqual(['large', 'small'])
})

test('one beyond the limit runs alone', async () => {
  const gate = new PixelGate(100, 3)
  const works = new Works()
  void works.start(gate, 'huge', 5000)
  void works.start(gate, 'small', 1)
  await settle()
  expect(works.running).toEqual(['huge'])
  await works.end('huge')
  expect(works.running).toEqual(['small'])
})

test('what fails makes room as well', async () => {
  const gate = new PixelGate(100, 1)
  const works = new Works()
  const failing = expect(works.start(gate, 'a', 100)).rejects.toThrow('broken')
  void works.start(gate, 'b', 100)
  await settle()
  await works.end('a', new Error('broken'))
  await failing
  expect(works.running).toEqual(['b'])
})
