/**
 * `npm ci` runs this. It makes the bundle where there is what makes it: production modules alone have neither the bundler nor,
 * it may be, a Node that reads TypeScript. Without a bundle the program runs from its sources.
 */
const isPossible = await import('rolldown').then(
  () => process.features.typescript,
  () => false,
)
if (isPossible) {
  const { build } = await import('./build.ts')
  await build()
}
