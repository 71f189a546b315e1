/** An absolute path, and its last name; what stands before it is no part of an address or of a longer word. */
const PATH = /(?<![\w.:/-])\/(?:[^\s/'"`]+\/)*([^\s/'"`]+)\/?/g

/** A text without the folders that its absolute paths lead through: each path is its last name. */
export function hideFolders(text: string): string {
  return text.replace(PATH, '$1')
}
