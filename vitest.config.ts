import { defineConfig } from 'vitest/config';

/** Bundling, emulators, and thousands of random runs: in `npm test`, not in the fast gate. */
const slow = [
  'test/scripts/**/*.test.ts',
  'test/template/permissions.test.ts',
  'test/**/invariants.test.ts',
  'test/faults/**/*.test.ts',
];

const project = (name: string, include: string[], exclude: string[]) => ({
  extends: true as const,
  test: { name, include, exclude },
});

export default defineConfig({
  test: {
    environment: 'node',
    testTimeout: 20_000,
    // Some tests tell round trips apart by time; with the random cases fixed in CI, what is wrong fails every time.
    retry: process.env.CI ? 2 : 0,
    setupFiles: ['test/support/fixed-seed.ts', 'test/support/no-endpoints.ts'],
    // No test may find an account, a profile or an instance role by accident.
    env: {
      AWS_REGION: 'eu-west-1',
      AWS_ACCESS_KEY_ID: 'AKIDTEST',
      AWS_SECRET_ACCESS_KEY: 'test',
      AWS_CONFIG_FILE: '/dev/null',
      AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
      AWS_EC2_METADATA_DISABLED: 'true',
    },
    restoreMocks: true,
    unstubEnvs: true,
    projects: [project('unit', ['test/**/*.test.ts'], slow), project('slow', slow, [])],
  },
});
