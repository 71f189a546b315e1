/** A header of an MPEG audio frame (ISO/IEC 11172-3, 13818-3): four bytes that tell where the next one is. */
export interface MpegHeader {
  readonly rate: number
  /** Of the frame, header included. */
  readonly byteCount: number
  /** What all frames of one stream have alike: version, layer and rate. */
  readonly kind: number
}

/** Kilobits a second, by version (1, then 2 and 2.5) and layer. */
const BIT_RATES: readonly (readonly (readonly number[])[])[] = [
  [
    [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
    [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
    [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  ],
  [
    [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
    [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
    [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
  ],
]

const RATES = [44_100, 48_000, 32_000]

/** Undefined where none is; the rare frames whose bit rate no table has ("free format") count as none. */
export function readMpegHeader(bytes: Uint8Array, at: number): MpegHeader | undefined {
  // Asked at every byte of what is no frame: a view for each would take a second for 20 MB of it.
  if (bytes[at] !== 0xff) return undefined
  const [second = 0, third = 0] = [bytes[at + 1], bytes[at + 2]]
  if ((second & 0xe0) !== 0xe0) return undefined
  // Version 3 is MPEG 1, 2 is MPEG 2, 0 is MPEG 2.5; layer 3 is I, 1 is III.
  const version = (second >> 3) & 3
  const layer = 4 - ((second >> 1) & 3)
  const rate = RATES[(third >> 2) & 3]
  const kilobits = BIT_RATES[version === 3 ? 0 : 1]?.[layer - 1]?.[third >> 4]
  if (version === 1 || rate === undefined || !kilobits) return undefined
  const hertz = rate >> (version === 3 ? 0 : version === 2 ? 1 : 2)
  const padding = (third >> 1) & 1
  return {
    rate: hertz,
    byteCount: frameBytes({ layer, version, kilobits, hertz, padding }),
    kind: kindOf(second, third),
  }
}

/**
 * How many frames a file has, where its first one says it: that of an encoder that wrote a table for players in front
 * (`Xing`, `Info`, or `VBRI`). Whether that frame counts as one of them, encoders are not agreed.
 */
export function readFrameCount(frame: Uint8Array): number | undefined {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
  const found = TABLES.find(({ at, name }) => at + 18 <= frame.length && textAt(frame, at) === name)
  if (found === undefined) return undefined
  const { at, name } = found
  if (name === 'VBRI') return view.getUint32(at + 14)
  const hasCount = (view.getUint32(at + 4) & 1) === 1
  return hasCount ? view.getUint32(at + 8) : undefined
}

/** Behind the header and what tells of its layer III, which is 9, 17 or 32 bytes long, and two of a checksum where there is one. */
const TABLES = [
  { at: 36, name: 'VBRI' },
  ...[13, 15, 21, 23, 36, 38].flatMap((at) => [
    { at, name: 'Xing' },
    { at, name: 'Info' },
  ]),
]

function textAt(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + 4))
}

interface FrameSize {
  readonly layer: number
  readonly version: number
  readonly kilobits: number
  readonly hertz: number
  readonly padding: number
}

/** Of 384 samples in layer I, of 576 in layer III of MPEG 2 and 2.5, of 1152 in all others. */
function frameBytes({ layer, version, kilobits, hertz, padding }: FrameSize): number {
  if (layer === 1) return (Math.floor((12_000 * kilobits) / hertz) + padding) * 4
  const slots = layer === 3 && version !== 3 ? 72_000 : 144_000
  return Math.floor((slots * kilobits) / hertz) + padding
}

function kindOf(second: number, third: number): number {
  return ((second & 0b1_1110) << 8) | (third & 0b1100)
}
