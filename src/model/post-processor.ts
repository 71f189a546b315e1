/** What tokenizer.json says of the tokens around a text and between two. */

export type Piece = readonly [content: string, id: number]

/** A special token, or one of the two texts; with the token type of its ids. */
export type TemplatePart = readonly [part: Piece | 'A' | 'B', type: 0 | 1]

export function templateProcessing(single: readonly TemplatePart[], pair: readonly TemplatePart[]) {
  const tokens = [...single, ...pair].flatMap(([part]) => (typeof part === 'string' ? [] : [part]))
  const described = tokens.map(([id, number]) => [id, { id, ids: [number], tokens: [id] }] as const)
  return {
    type: 'TemplateProcessing',
    single: single.map(describe),
    pair: pair.map(describe),
    special_tokens: Object.fromEntries(described),
  }
}

function describe([part, type]: TemplatePart) {
  return typeof part === 'string'
    ? { Sequence: { id: part, type_id: type } }
    : { SpecialToken: { id: part[0], type_id: type } }
}

/** `[CLS] A [SEP] B [SEP]`, the second text and its end of type 1. */
export function bertTemplate(cls: Piece, sep: Piece) {
  const single: readonly TemplatePart[] = [
    [cls, 0],
    ['A', 0],
    [sep, 0],
  ]
  return templateProcessing(single, [...single, ['B', 1], [sep, 1]])
}

/** `<s> A </s></s> B </s>`, all of type 0. */
export function robertaTemplate(bos: Piece, eos: Piece) {
  const single: readonly TemplatePart[] = [
    [bos, 0],
    ['A', 0],
    [eos, 0],
  ]
  return templateProcessing(single, [...single, [eos, 0], ['B', 0], [eos, 0]])
}

/** Each text by itself between a beginning and an end, where the tokenizer adds them. */
export function framedTemplate(bos: Piece | undefined, eos: Piece | undefined) {
  const framed = (text: 'A' | 'B', type: 0 | 1): readonly TemplatePart[] => [
    ...(bos === undefined ? [] : [[bos, type] as const]),
    [text, type],
    ...(eos === undefined ? [] : [[eos, type] as const]),
  ]
  return templateProcessing(framed('A', 0), [...framed('A', 0), ...framed('B', 1)])
}
