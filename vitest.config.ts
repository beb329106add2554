import { defineConfig } from 'vitest/config';

/** What needs no service: it runs anywhere, in a second. Everything else under test/ runs against a real Postgres and a real Redis. */
const UNIT = [
  'test/core/**/*.test.ts',
  'test/platforms/**/*.test.ts',
  'test/bench/**/*.test.ts',
  'test/architecture.test.ts',
  'test/docs.test.ts',
];

export default defineConfig({
  test: {
    passWithNoTests: false,
    // Two processes keep a two-core machine busy; more of them only make time limits run out.
    maxWorkers: 2,
    pool: 'forks',
    restoreMocks: true,
    teardownTimeout: 30_000,
    projects: [
      { extends: true, test: { name: 'unit', include: UNIT, testTimeout: 60_000 } },
      {
        extends: true,
        test: {
          name: 'services',
          include: ['test/**/*.test.ts'],
          // Those in a browser have a command of their own: not every machine has one.
          exclude: [...UNIT, 'test/browser/**'],
          globalSetup: ['test/support/global-setup.ts'],
          // A limit for defects, not for slow machines: above what `waitUntil` waits, so that its message is the one that is read.
          testTimeout: 180_000,
          hookTimeout: 240_000,
        },
      },
    ],
  },
});
