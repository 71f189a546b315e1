/** Run as a process of its own: prints its port, then the time of every request, in milliseconds since 1970. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

const server = createServer((_, response) => {
  process.stdout.write(`${Date.now()}\n`)
  response.end()
})
server.listen(0, '127.0.0.1', () => {
  // A TCP server has no path for an address.
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`)
})
