import { defineConfig } from 'vitest/config';

/** Tests of visitors' pages in a real Chromium: `npm run test:browser`. Apart from the others, because not every machine has a browser. */
export default defineConfig({
  test: {
    passWithNoTests: false,
    pool: 'forks',
    maxWorkers: 1,
    restoreMocks: true,
    teardownTimeout: 30_000,
    include: ['test/browser/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    testTimeout: 180_000,
    hookTimeout: 240_000,
  },
});
