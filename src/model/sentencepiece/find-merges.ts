/**
 * The merges that a vocabulary of byte pair encoding was made by: SentencePiece keeps its pieces only. A piece of an earlier id is
 * joined first; where it splits in several ways, the way with the shorter first part, then the shorter second, then the
 * earlier parts (transformers 5.23). Characters are those of Unicode.
 */
export function findMerges(ids: ReadonlyMap<string, number>): [string, string][] {
  return [...ids.keys()].flatMap((piece) => splits(piece, ids))
}

function splits(piece: string, ids: ReadonlyMap<string, number>): [string, string][] {
  const found: [string, string][] = []
  // Of one piece, the shorter its first part, the earlier: a second order is never asked for.
  for (let at = stepOver(piece, 0); at < piece.length; at = stepOver(piece, at)) {
    const [first, second] = [piece.slice(0, at), piece.slice(at)]
    if (ids.has(first) && ids.has(second)) found.push([first, second])
  }
  return found
}

/** Behind the character that begins at `at`. */
function stepOver(text: string, at: number): number {
  return at + ((text.codePointAt(at) as number) > 0xffff ? 2 : 1)
}
