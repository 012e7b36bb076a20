import { expect, it } from 'vitest';
import { errorsIn } from '../../../scripts/drill/logs.ts';

const line = (level: string, more: object = {}): string =>
  JSON.stringify({ level, timestamp: '2026-11-21T18:06:16.022Z', function: 'check-site', message: 'said', ...more });

it('finds the errors and warnings of functions and emulator, a line each', () => {
  const log = [
    '2026-11-21 18:06:15 INFO [sns] SNS fanout',
    line('INFO'),
    line('WARN'),
    line('ERROR', { error: { name: 'TypeError', message: 'x is not a function', stack: '...' } }),
    '2026-11-21 18:06:17 ERROR [lambda] no worker',
  ].join('\n');

  expect(errorsIn(log)).toEqual([
    '18:06:16 check-site: said',
    '18:06:16 check-site: said (TypeError: x is not a function)',
    '18:06:17 emulator: [lambda] no worker',
  ]);
});

it('is not led astray by a line that was cut', () => {
  expect(errorsIn('{"level":"ERROR","mess')).toEqual([]);
});
