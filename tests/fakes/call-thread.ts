/** A worker thread with one call for each way in which a call can end. */
import { setImmediate } from 'node:timers/promises'
import { serveCalls } from '../../src/base/thread-server.ts'
import { ServerError } from '../../src/errors.ts'

export interface FakeCalls {
  add: { ask: { left: number; right: number }; reply: { sum: number } }
  /** Comes back moved, not copied: the thread's own view of it is empty afterwards. */
  double: { ask: { values: Float32Array<ArrayBuffer> }; reply: { values: Float32Array<ArrayBuffer> } }
  refuse: { ask: { message: string }; reply: object }
  crash: { ask: object; reply: object }
  answerFunction: { ask: object; reply: { call: unknown } }
  wait: { ask: object; reply: object }
  exit: { ask: { code: number }; reply: object }
  throwLater: { ask: { message: string }; reply: object }
}

serveCalls<FakeCalls>({
  add: ({ left, right }) => ({ reply: { sum: left + right } }),
  double: ({ values }) => {
    const doubled = values.map((value) => 2 * value)
    return { reply: { values: doubled }, transfer: [doubled.buffer] }
  },
  refuse: ({ message }) => {
    throw new ServerError('text_too_long', message)
  },
  crash: () => {
    throw new TypeError('a bug in the thread')
  },
  answerFunction: () => ({ reply: { call: () => {} } }),
  wait: () => new Promise(() => {}),
  exit: ({ code }) => process.exit(code),
  throwLater: ({ message }) => {
    void setImmediate().then(() => {
      throw new Error(message)
    })
    return new Promise(() => {})
  },
})
