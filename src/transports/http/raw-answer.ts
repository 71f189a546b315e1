/** Answers on sockets that no request has come to life on, in the shape that clients know from all others. */
import type { Socket } from 'node:net'
import { refuse } from '../../dialects/dispatch.ts'
import { ServerError } from '../../errors.ts'

/** Ends the connection with an answer. */
export function answerRaw(socket: Socket, status: string, error: ServerError): void {
  if (!socket.writable) return void socket.destroy()
  const { body, headers } = refuse('/', error)
  const text = JSON.stringify(body)
  const fields = {
    ...headers,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    connection: 'close',
  }
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}`)
  socket.on('error', () => socket.destroy())
  socket.end(`HTTP/1.1 ${status}\r\n${lines.join('\r\n')}\r\n\r\n${text}`, () => socket.destroySoon())
}

/** What Node's parser could not read, or waited for too long. */
export function answerBroken(error: Error & { readonly code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET') return void socket.destroy()
  const [status, message] = describe(error)
  answerRaw(socket, status, new ServerError('invalid_request', message))
}

function describe({ code, message }: Error & { readonly code?: string }): readonly [string, string] {
  if (code === 'HPE_HEADER_OVERFLOW') {
    return ['431 Request Header Fields Too Large', 'the headers of the request are larger than 16 kB']
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return [
      '408 Request Timeout',
      'the request did not come in time: 15 s for its headers, 120 s for all of it',
    ]
  }
  return ['400 Bad Request', `the request is not HTTP: ${message}`]
}
