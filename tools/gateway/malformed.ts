/** Items that a worker is handed as if they were jobs. Results for their ids, where they have one, are nobody's. */
const MALFORMED: readonly unknown[] = [
  { input: { input: 'a job without an id' } },
  null,
  'a string',
  { id: 4711, input: { input: 'a job with a number for its id' } },
  { id: 'malformed-input', input: 'no object' },
  {},
]

/** `choice` in [0, 1) decides which. */
export function malformedItem(choice: number): unknown {
  return MALFORMED[Math.floor(choice * MALFORMED.length)]
}
