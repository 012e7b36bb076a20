import { expect, it } from 'vitest';
import { withShortage } from '../../../scripts/drill/containers.ts';
import { setBack } from '../../../scripts/drill/world.ts';

const service = (serviceName: string) => ({
  serviceName,
  desiredCount: 12,
  runningCount: 12,
  pendingCount: 0,
  deployments: [
    { id: 'new', runningCount: 12 },
    { id: 'old', runningCount: 0 },
  ],
});

it('shows as many tasks as there is capacity for, in the service and its newest deployment', () => {
  const answer = withShortage(JSON.stringify({ services: [service('web')], failures: [] }), new Map([['web', 4]]));

  expect(JSON.parse(answer)).toEqual({
    services: [
      {
        ...service('web'),
        runningCount: 4,
        deployments: [
          { id: 'new', runningCount: 4 },
          { id: 'old', runningCount: 0 },
        ],
      },
    ],
    failures: [],
  });
});

it('leaves other services as they are', () => {
  const answer = withShortage(JSON.stringify({ services: [service('web-on-demand')] }), new Map([['web', 4]]));

  expect(JSON.parse(answer)).toEqual({ services: [service('web-on-demand')] });
});

it('sets back times, however deep, and nothing else', () => {
  const now = Date.parse('2026-03-05T03:12:00Z');
  const state = {
    openedAt: now,
    deep: [{ at: now + 60_000 }],
    steps: 3,
    seen: { a: now },
    why: 'x',
    gone: null,
    on: true,
  };

  expect(setBack(state, 5_000, now)).toEqual({
    openedAt: now - 5_000,
    deep: [{ at: now + 55_000 }],
    steps: 3,
    seen: { a: now - 5_000 },
    why: 'x',
    gone: null,
    on: true,
  });
});
