/** A model of SentencePiece, as its trainer writes it: pieces, what finds them in a text, and how texts are normalized. */
import { ServerError } from '../../errors.ts'
import { checkCharsmap } from './check-charsmap.ts'
import type { WireField, WireKind, WireValue } from './wire-format.ts'
import { readFields } from './wire-format.ts'

export interface Piece {
  readonly content: string
  readonly score: number
  /** Control tokens stand for something, those of a user are found whole in a text; both are tokens that are added. */
  readonly kind: 'plain' | 'control' | 'user'
}

export interface PieceModel {
  /** By their ids. No two have the same content. */
  readonly pieces: readonly Piece[]
  readonly algorithm: 'unigram' | 'bpe'
  /** What no piece covers becomes pieces of its bytes. */
  readonly byteFallback: boolean
  readonly unknownId: number
  /** Undefined where the model does without. */
  readonly tokens: Readonly<Record<'bos' | 'eos' | 'unk', string | undefined>>
  readonly unknownContent: string
  /** Rules of normalization, compiled; empty: none. */
  readonly charsmap: Buffer
}

/** Twice as many as the largest vocabulary in use. */
const MAX_PIECES = 2_000_000
/** SentencePiece itself trains pieces of 16 characters unless it is told otherwise. */
const MAX_PIECE_BYTES = 10_000

const ALGORITHMS: Readonly<Record<number, string>> = { 1: 'unigram', 2: 'bpe', 3: 'word', 4: 'char' }
const KINDS: Readonly<Record<number, Piece['kind']>> = { 3: 'control', 4: 'user' }

/** Numbers of fields in sentencepiece_model.proto. */
const MODEL = { pieces: 1, trainer: 2, normalizer: 3 }
const PIECE = { content: 1, score: 2, kind: 3 }
const CHARSMAP = 2
const TRAINER = {
  algorithm: 3,
  byteFallback: 35,
  unkId: 40,
  bosId: 41,
  eosId: 42,
  unkPiece: 45,
  bosPiece: 46,
  eosPiece: 47,
}

/** `name`: what errors call the file. Throws `model_invalid` where it is broken, `model_unsupported` for words or characters as pieces. */
export function readPieces(bytes: Buffer, name: string): PieceModel {
  const reader = new Reader(name)
  const pieces: Piece[] = []
  let trainer: Fields = new Map()
  let normalizer: Fields = new Map()
  for (const field of reader.fields(bytes)) {
    if (field.number === MODEL.pieces) {
      if (pieces.length === MAX_PIECES) throw reader.fail(`has more than ${MAX_PIECES} pieces`)
      pieces.push(readPiece(reader, reader.message(field), pieces.length))
    }
    if (field.number === MODEL.trainer) trainer = new Map([...trainer, ...reader.message(field)])
    if (field.number === MODEL.normalizer) normalizer = new Map([...normalizer, ...reader.message(field)])
  }
  if (pieces.length === 0) throw reader.fail('has no pieces')
  expectDistinct(reader, pieces)
  const charsmap = reader.bytes(normalizer, CHARSMAP)
  if (charsmap.length > 0) checkCharsmap(charsmap, reader.fail)
  return { pieces, charsmap, ...readTrainer(reader, trainer) }
}

function readPiece(reader: Reader, fields: Fields, id: number): Piece {
  const bytes = reader.bytes(fields, PIECE.content)
  if (bytes.length === 0) throw reader.fail(`has a piece ${id} without content`)
  if (bytes.length > MAX_PIECE_BYTES)
    throw reader.fail(`has a piece ${id} of ${bytes.length} bytes; at most ${MAX_PIECE_BYTES} are allowed`)
  const score = reader.float(fields, PIECE.score)
  if (!Number.isFinite(score)) throw reader.fail(`has a piece ${id} with the score ${score}`)
  const kind = KINDS[reader.number(fields, PIECE.kind, 1)] ?? 'plain'
  return { content: reader.text(bytes, `piece ${id}`), score, kind }
}

function readTrainer(reader: Reader, fields: Fields): Omit<PieceModel, 'pieces' | 'charsmap'> {
  const code = reader.number(fields, TRAINER.algorithm, 1)
  const algorithm = ALGORITHMS[code] ?? `of kind ${code}`
  if (algorithm !== 'unigram' && algorithm !== 'bpe') throw reader.unsupported(`is a ${algorithm} model`)
  const unknownId = reader.number(fields, TRAINER.unkId, 0)
  const content = (field: number, otherwise: string) =>
    reader.text(reader.bytes(fields, field), `field ${field} of its trainer`) || otherwise
  const token = (id: number, text: string) => (id >= 0 ? text : undefined)
  const unknownContent = content(TRAINER.unkPiece, '<unk>')
  return {
    algorithm,
    byteFallback: reader.number(fields, TRAINER.byteFallback, 0) !== 0,
    unknownId,
    unknownContent,
    tokens: {
      bos: token(reader.number(fields, TRAINER.bosId, 1), content(TRAINER.bosPiece, '<s>')),
      eos: token(reader.number(fields, TRAINER.eosId, 2), content(TRAINER.eosPiece, '</s>')),
      unk: token(unknownId, unknownContent),
    },
  }
}

function expectDistinct(reader: Reader, pieces: readonly Piece[]): void {
  const ids = new Map<string, number>()
  for (const [id, { content }] of pieces.entries()) {
    const first = ids.get(content)
    if (first !== undefined)
      throw reader.fail(`has the piece ${JSON.stringify(content)} as ${first} and as ${id}`)
    ids.set(content, id)
  }
}

/** The last value of each number counts, as protocol buffers have it. */
type Fields = ReadonlyMap<number, WireField>

const NONE = Buffer.alloc(0)

class Reader {
  readonly #name: string
  readonly #utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

  constructor(name: string) {
    this.#name = name
  }

  readonly fail = (what: string): ServerError =>
    new ServerError('model_invalid', `${this.#name} is no sound model of SentencePiece: it ${what}`)

  unsupported(what: string): ServerError {
    return new ServerError(
      'model_unsupported',
      `${this.#name} ${what} of SentencePiece; supported are unigram and bpe`,
    )
  }

  fields(message: Buffer): Generator<WireField> {
    return readFields(message, this.fail)
  }

  message(field: WireField): Fields {
    const bytes = this.#expect(field, 'bytes') as Buffer
    return new Map(this.fields(bytes).map((inner) => [inner.number, inner]))
  }

  bytes(fields: Fields, number: number): Buffer {
    const field = fields.get(number)
    return field === undefined ? NONE : (this.#expect(field, 'bytes') as Buffer)
  }

  text(bytes: Buffer, what: string): string {
    try {
      return this.#utf8.decode(bytes)
    } catch {
      throw this.fail(`has a ${what} that is not UTF-8`)
    }
  }

  float(fields: Fields, number: number): number {
    const field = fields.get(number)
    return field === undefined ? 0 : (this.#expect(field, 'fixed32') as Buffer).readFloatLE()
  }

  /** Of 32 bits, with a sign. */
  number(fields: Fields, number: number, otherwise: number): number {
    const field = fields.get(number)
    return field === undefined
      ? otherwise
      : Number(BigInt.asIntN(32, this.#expect(field, 'varint') as bigint))
  }

  #expect({ number, kind, value }: WireField, expected: WireKind): WireValue {
    if (kind === expected) return value
    throw this.fail(`has a field ${number} that is ${kind} where ${expected} is due`)
  }
}
