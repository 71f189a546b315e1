/** What pictures/make-pictures.py wrote. */
import { readFileSync } from 'node:fs'
import type { Resample } from '../../../src/model/tower-spec.ts'

export interface DecodedCase {
  readonly file: string
  readonly width: number
  readonly height: number
  readonly offset: number
}

export interface ResizedCase {
  readonly filter: Resample
  readonly input: readonly [width: number, height: number]
  readonly output: readonly [width: number, height: number]
  readonly offset: number
}

export interface PreparedCase extends DecodedCase {
  readonly name: string
}

export interface Pictures {
  readonly decoded: readonly DecodedCase[]
  readonly resized: readonly ResizedCase[]
  readonly hashes: readonly (Omit<ResizedCase, 'offset'> & { readonly sha256: string })[]
  readonly prepared: readonly PreparedCase[]
}

export function readPictures(): Pictures {
  return JSON.parse(readBytes('pictures.json').toString())
}

/** In a buffer of its own. */
export function readBytes(file: string): Buffer<ArrayBuffer> {
  const bytes = readFileSync(new URL(`pictures/${file}`, import.meta.url))
  return Buffer.from(new Uint8Array(bytes).buffer)
}
