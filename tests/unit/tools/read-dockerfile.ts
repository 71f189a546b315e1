export interface Instruction {
  /** In capitals: FROM, RUN, … */
  readonly name: string
  /** The rest, on one line. */
  readonly text: string
  /** What is copied, without flags and destination; empty for others. */
  readonly sources: readonly string[]
  /** The stage or image of `--from`. */
  readonly from: string | undefined
}

export interface Stage {
  /** Empty where it has no name, as the last. */
  readonly name: string
  readonly base: string
  readonly instructions: readonly Instruction[]
}

export interface Dockerfile {
  /** The comment that it begins with. */
  readonly header: string
  readonly instructions: readonly Instruction[]
  readonly stages: readonly Stage[]
}

/** Enough of the syntax for ours: no heredocs, no escape directive. */
export function readDockerfile(text: string): Dockerfile {
  const header = /^(?:#.*\n)+/.exec(text)?.[0] ?? ''
  const lines = text
    .replace(/^\s*#.*\n/gm, '')
    .replace(/\\\n\s*/g, '')
    .split('\n')
  const instructions = lines.filter((line) => line.trim() !== '').map(readInstruction)
  const stages: { name: string; base: string; instructions: Instruction[] }[] = []
  for (const instruction of instructions) {
    if (instruction.name === 'FROM') {
      const [base = '', , name = ''] = instruction.text.split(' ')
      stages.push({ name, base, instructions: [] })
    } else {
      stages.at(-1)?.instructions.push(instruction)
    }
  }
  return { header, instructions, stages }
}

function readInstruction(line: string): Instruction {
  const [name = '', ...words] = line.split(' ')
  const from = words.find((word) => word.startsWith('--from='))?.slice('--from='.length)
  const paths = words.filter((word) => !word.startsWith('--'))
  return { name, text: words.join(' '), sources: name === 'COPY' ? paths.slice(0, -1) : [], from }
}
