import { FLAGS, MODES, SETTINGS, shownDefault } from './settings.ts'
import type { Flag } from './settings.ts'

const TEXT_COLUMN = 28
const COLUMNS = 100

export function helpText(): string {
  const flags: readonly Flag<unknown>[] = Object.values(FLAGS)
  return [
    'runpod-worker-embeddings embeds and reranks text, and embeds images and audio.',
    '',
    'Usage: node handler.ts [flags]',
    '',
    'What runs (the first that applies):',
    ...MODES.map((row) => entry(row.triggers.join(', ') || 'otherwise', [row.does])),
    '',
    'Flags (--flag value or --flag=value):',
    ...flags.map((row) =>
      entry([row.names.join(', '), row.argument ?? ''].join(' '), [
        row.meaning,
        // a switch is off until it is given: nothing to tell
        ...(row.argument === undefined ? [] : [`default: ${shownDefault(row)}`]),
      ]),
    ),
    '',
    'Environment variables (an empty one counts as unset; a .env file beside package.json is read):',
    ...Object.values(SETTINGS).map((row) =>
      entry(row.names.join(', '), [row.meaning, `default: ${shownDefault(row)}`]),
    ),
    '',
    'Examples:',
    '  npm start',
    '  node handler.ts --rp_serve_api',
    `  node handler.ts --test_input '{"input":{"input":"Hello world"}}'`,
    `  MODEL_NAMES='bge=/models/bge-small-en-v1.5;/models/ms-marco-MiniLM-L6-v2' node handler.ts`,
    '',
  ].join('\n')
}

function entry(name: string, paragraphs: readonly string[]): string {
  const [first = '', ...rest] = paragraphs.flatMap((paragraph) => wrap(paragraph, COLUMNS - TEXT_COLUMN))
  const head = `  ${name.trim()}`.padEnd(TEXT_COLUMN)
  // a name too long for its column stands on a line of its own
  const opening = head.length > TEXT_COLUMN ? `${head}\n${' '.repeat(TEXT_COLUMN)}${first}` : head + first
  return [opening, ...rest.map((line) => ' '.repeat(TEXT_COLUMN) + line)].join('\n')
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word)
    else lines[lines.length - 1] = `${last} ${word}`
  }
  return lines
}
