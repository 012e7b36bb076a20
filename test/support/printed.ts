import { afterEach, beforeEach, vi } from 'vitest';

/** What the process prints during each test of a file, by write; metrics are on. Call it once, outside of tests. */
export const printedLines = (): readonly string[] => {
  const printed: string[] = [];
  beforeEach(() => {
    printed.length = 0;
    vi.stubEnv('POWERTOOLS_METRICS_DISABLED', undefined);
    for (const stream of [process.stdout, process.stderr]) {
      vi.spyOn(stream, 'write').mockImplementation((text) => {
        printed.push(String(text));
        return true;
      });
    }
  });
  afterEach(() => {
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
  });
  return printed;
};
