/** What a folder says that has a model which others compiled, in place of weights: a part of `ModelSpec`. */

/** What an exported model computes in. */
export type ExportedDtype = 'fp32' | 'fp16' | 'bf16' | 'int8' | 'int4'

export interface ExportedValue {
  readonly name: string
  /** As ONNX calls it: `int64`, `float32`. */
  readonly type: string
  /** Undefined: a number that is known when the model is run; or nothing is said of the shape at all. */
  readonly shape: readonly (number | undefined)[] | undefined
}

/** A model that others compiled, in place of tensors: a folder without weights has it as an ONNX file. */
export interface ExportedModel {
  /** Absolute path with every symbolic link resolved. */
  readonly file: string
  /** Its path in the folder, which messages call it by. */
  readonly name: string
  readonly dtype: ExportedDtype
  /** Without those that have a value of their own. */
  readonly inputs: readonly ExportedValue[]
  readonly outputs: readonly ExportedValue[]
  /** Bytes of its weights by their type, wherever they lie. */
  readonly stored: Readonly<Record<string, number>>
  /** What the file would hold if it named the files of its weights by absolute paths; undefined: it holds the weights. */
  readonly content?: Uint8Array<ArrayBuffer>
}
