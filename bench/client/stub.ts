/** Answers at once, with as many numbers as an embedding server would, made beforehand: against it the generator's own cost is measured. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { seededRandom } from '../harness.ts'

const DIMENSIONS = 384
const random = seededRandom(3)
const answers = new Map<number, Buffer>()

const server = createServer((request, answer) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const { input } = JSON.parse(Buffer.concat(chunks).toString()) as { input?: string | string[] }
    if (input === undefined) answer.writeHead(400).end('no input')
    else {
      answer.setHeader('content-type', 'application/json')
      answer.end(answerOf(typeof input === 'string' ? 1 : input.length))
    }
  })
})
server.listen(0, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})

function answerOf(texts: number): Buffer {
  const kept = answers.get(texts)
  if (kept !== undefined) return kept
  const data = Array.from({ length: texts }, (_, index) => {
    const embedding = Array.from({ length: DIMENSIONS }, () => Number((random() - 0.5).toPrecision(8)))
    return { object: 'embedding', index, embedding }
  })
  const made = Buffer.from(JSON.stringify({ object: 'list', data, model: 'stub' }))
  answers.set(texts, made)
  return made
}
