/** What a file is, by its first bytes: what its sender says of it counts for nothing. */
import { ServerError } from '../errors.ts'

export type ImageFormat = 'JPEG' | 'PNG' | 'WebP' | 'GIF' | 'TIFF' | 'AVIF'

/** The longest beginning that is looked at: a text may begin with blanks and comments. */
const HEAD_BYTES = 1024

/** Latin-1 texts and where in a file they stand, all of them. */
type Signature = readonly (readonly [start: number, text: string])[]

const SIGNATURES: Readonly<Record<ImageFormat, readonly Signature[]>> = {
  JPEG: [[[0, '\xff\xd8\xff']]],
  PNG: [[[0, '\x89PNG\r\n\x1a\n']]],
  WebP: [
    [
      [0, 'RIFF'],
      [8, 'WEBP'],
    ],
  ],
  GIF: [[[0, 'GIF87a']], [[0, 'GIF89a']]],
  TIFF: [[[0, 'II*\0']], [[0, 'MM\0*']], [[0, 'II+\0']], [[0, 'MM\0+']]],
  AVIF: [[[4, 'ftypavif']], [[4, 'ftypavis']]],
}

const OTHERS: Readonly<Record<string, readonly Signature[]>> = {
  PDF: [[[0, '%PDF-']]],
  BMP: [
    [
      [0, 'BM'],
      [6, '\0\0\0\0'],
    ],
  ],
  HEIC: [[[4, 'ftyphe']], [[4, 'ftypmif1']], [[4, 'ftypmsf1']]],
  'JPEG XL': [[[0, '\xff\x0a']], [[4, 'JXL ']]],
  'JPEG 2000': [[[4, 'jP  ']], [[0, '\xff\x4f\xff\x51']]],
  ICO: [[[0, '\0\0\x01\0']]],
  PSD: [[[0, '8BPS']]],
}

const UTF8_MARK = '\xef\xbb\xbf'

/** Throws `invalid_request` for what is no picture that can be read, saying what it is where that can be told. */
export function findImageFormat(bytes: Uint8Array): ImageFormat {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, HEAD_BYTES))
  const text = head.toString('latin1')
  const format = findName(SIGNATURES, text)
  if (format !== undefined) return format
  const other = bytes.byteLength === 0 ? 'empty' : (findName(OTHERS, text) ?? findMarkup(text))
  throw new ServerError(
    'invalid_request',
    `the file is ${other ?? 'of no known format'}; a picture may be ${Object.keys(SIGNATURES).join(', ')}`,
  )
}

function findName<N extends string>(signatures: Readonly<Record<N, readonly Signature[]>>, text: string) {
  const names = Object.keys(signatures) as N[]
  return names.find((name) =>
    signatures[name].some((parts) => parts.every(([start, part]) => text.startsWith(part, start))),
  )
}

function findMarkup(text: string): string | undefined {
  let rest = text.replace(UTF8_MARK, '').trimStart()
  let isXml = false
  for (;;) {
    const end = rest.startsWith('<!--') ? '-->' : rest.startsWith('<?') ? '?>' : undefined
    if (end === undefined) break
    isXml ||= rest.startsWith('<?xml')
    const at = rest.indexOf(end)
    rest = at < 0 ? '' : rest.slice(at + end.length).trimStart()
  }
  const root = /^<(?:!doctype\s+)?(svg|html|head|body)\b/i.exec(rest)?.[1]?.toLowerCase()
  if (root === undefined) return isXml ? 'XML' : undefined
  return root === 'svg' ? 'SVG' : 'HTML'
}
