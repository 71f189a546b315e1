/** Run by fetch-processes.test.ts: fetches a model and prints, a line each, what it logs, how far it is and the path. */
import { fetchHub } from '../../src/model/fetch-hub.ts'

const [endpoint = '', cache = '', name = ''] = process.argv.slice(2)
const print = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`)
let nowMs = 0
const path = await fetchHub({
  name,
  endpoint,
  folders: [{ path: cache, platform: false }],
  offline: false,
  log: (_, event) => print(event),
  onProgress: ({ doneBytes }) => print({ event: 'progress', doneBytes }),
  // so fast a clock that every step is told
  now: () => (nowMs += 1000),
})
print({ event: 'done', path })
