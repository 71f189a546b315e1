/** What ONNX Runtime says of a failure, without what it says of its own sources. */

/** File and line, as the library's assertions begin. */
const SOURCE = /(?<![\w.+\\/-])(?:[A-Za-z]:)?[\w.+-]*[\\/][\w.+\\/-]*\.(?:cc|cpp|cxx|cu|cuh|h|hpp|inc):\d+\s?/
/** The same, and the machine, as CUDA's failures end. */
const CUDA_PLACE = /\s*;\s*(?:hostname|file|line)=\S*/g
const PAIRS: Readonly<Record<string, string>> = { '(': ')', '[': ']' }

/** Clients have no use for source paths and the signatures of functions; the log has the whole message as the cause. */
export function withoutSource(message: string): string {
  let rest = message.replaceAll(CUDA_PLACE, '')
  let kept = ''
  for (let found = SOURCE.exec(rest); found !== null; found = SOURCE.exec(rest)) {
    kept += rest.slice(0, found.index)
    rest = rest.slice(signatureEnd(rest, found.index + found[0].length))
  }
  return `${kept}${rest}`.trim()
}

/** Behind the function's name, its arguments and what follows them; `start` where there is no such thing on the line. */
function signatureEnd(text: string, start: number): number {
  const line = text.slice(start).split('\n', 1)[0] ?? ''
  let end = 0
  for (let index = line.indexOf('('); index >= 0; index = nextOpening(line, end)) {
    const close = closingOf(line, index)
    if (close === undefined) break
    end = close + 1
  }
  if (end === 0) return start
  return start + end + (/^\S*(?: (?:const|noexcept)\b)*\s*/.exec(line.slice(end))?.[0].length ?? 0)
}

/** Of brackets that still belong to the signature: right behind others, or ` [with …]`, or within a name. */
function nextOpening(line: string, end: number): number {
  const between = /^[^\s([]*(?:[([]|(?: const| noexcept)* \[(?=with ))/.exec(line.slice(end))?.[0]
  return between === undefined ? -1 : end + between.length - 1
}

/** Undefined where the bracket is never closed. */
function closingOf(line: string, start: number): number | undefined {
  const open = line.charAt(start)
  const close = PAIRS[open] ?? ''
  for (let index = start, depth = 0; index < line.length; index++) {
    if (line.charAt(index) === open) depth++
    if (line.charAt(index) === close && --depth === 0) return index
  }
  return undefined
}
