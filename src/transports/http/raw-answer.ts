/** Answers on sockets that no request has come to life on, in the shape that clients know from all others. */
import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import { refuse } from '../../dialects/dispatch.ts'
import type { ErrorCode } from '../../errors.ts'
import { ServerError } from '../../errors.ts'
import { REQUEST_ID } from './request-id.ts'

/** Ends the connection with an answer. */
export function answerRaw(socket: Socket, status: string, error: ServerError): void {
  if (!socket.writable) return void socket.destroy()
  const { body, headers } = refuse(undefined, error)
  const text = JSON.stringify(body)
  const fields = {
    ...headers,
    [REQUEST_ID]: randomUUID(),
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
  const { status, code, message } = describe(error)
  answerRaw(socket, status, new ServerError(code, message))
}

interface Description {
  readonly status: string
  readonly code: ErrorCode
  readonly message: string
}

function describe({ code, message }: Error & { readonly code?: string }): Description {
  if (code === 'HPE_HEADER_OVERFLOW') {
    return {
      status: '431 Request Header Fields Too Large',
      code: 'invalid_request',
      message: 'the headers of the request are larger than 16 kB',
    }
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return {
      status: '408 Request Timeout',
      code: 'request_timeout',
      message: 'the request did not come in time: 15 s for its headers, 120 s for all of it',
    }
  }
  return {
    status: '400 Bad Request',
    code: 'invalid_request',
    message: `the request is not HTTP: ${message}`,
  }
}
