import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    // `npm run test:clients`: they need packages that are not installed with the project's
    exclude: ['tests/clients/**'],
    // Every file that loads a model starts threads of its own: two at a time are enough for a small machine.
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
})
