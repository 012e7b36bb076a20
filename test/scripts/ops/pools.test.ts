import { describe, expect, it } from 'vitest';
import type { Memory } from '../../../functions/restore-capacity/group/memory.ts';
import { instanceId, streamArn } from '../../support/event-builders.ts';
import { groupArn } from '../../support/fake-aws/autoscaling.ts';
import { now, type Terminal, type TerminalOptions, terminal } from './terminal.ts';

const MINUTE = 60_000;
const lost = (count: number, minutesAgo: number, first = 1) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [instanceId(first + i), now - minutesAgo * MINUTE]));

/** Workers lost five instances just now and raised their base; web lost one half an hour ago. */
const storm: Memory = {
  pools: {
    'm5.large eu-west-1a': { lost: { ...lost(5, 1), ...lost(2, 40, 20) }, failed: {}, size: 12 },
    '* eu-west-1b': { lost: {}, failed: { a: now - 2 * MINUTE, b: now - 20 * MINUTE }, size: 8 },
  },
  storm: { since: now - MINUTE, last: now - MINUTE },
  fallback: {
    original: 2,
    set: 7,
    was: 2,
    peak: 7,
    before: 2,
    storm: now - MINUTE,
    at: now - MINUTE,
    confirmed: true,
  },
};
const calm: Memory = { pools: { 'c5.large eu-west-1a': { lost: lost(1, 30), failed: {}, size: 4 } } };

const remember = async ({ ledger }: Terminal, resource: string, remembered: Memory) => {
  await ledger.update({ fn: 'restore-capacity', resource }, undefined, (state) => ({
    state: { ...state, remembered },
  }));
};
const stormy = async (options: TerminalOptions = {}): Promise<Terminal> => {
  const t = terminal(options);
  await remember(t, groupArn('workers'), storm);
  await remember(t, groupArn('web'), calm);
  return t;
};
/** Columns are two spaces or more apart. */
const cells = (line = '') => line.trim().split(/\s{2,}/);

describe('pools', () => {
  it('lists every pool with what it lost and lacks, and the base that Reflex has raised', async () => {
    const { run } = await stormy();

    const { code, out } = await run('pools');

    const [head, web, first, second, , sum] = out.split('\n');
    expect(code).toBe(0);
    expect(cells(head)).toEqual([
      'GROUP',
      'POOL',
      'LOST 5 MIN',
      '1 H',
      'FAILED 5 MIN',
      '1 H',
      'OF',
      'POOL IS',
      'ON-DEMAND BASE',
    ]);
    expect(cells(web)).toEqual(['web', 'c5.large eu-west-1a', '0', '1', '0', '0', '4', 'well', 'not changed']);
    expect(cells(first)).toEqual([
      'workers',
      'm5.large eu-west-1a',
      '5',
      '7',
      '0',
      '0',
      '12',
      'depleted',
      'set to 7, 2 before; Spot quiet since 2026-03-05 03:26:00',
    ]);
    expect(cells(second)).toEqual(['any type eu-west-1b', '0', '0', '1', '2', '8', 'well']);
    expect(sum).toContain('1 pool depleted; the on-demand base of 1 group is raised.');
  });

  it('forgets what is older than an hour', async () => {
    const t = terminal();
    await remember(t, groupArn('web'), {
      pools: { 'c5.large eu-west-1a': { lost: lost(3, 61), failed: {}, size: 4 } },
    });

    expect((await t.run('pools')).out).toBe('EC2 took no Spot capacity back in the last hour.');
  });

  it('keeps a base in sight that is still raised', async () => {
    const t = terminal();
    const old = now - 3 * 60 * MINUTE;
    const { fallback } = storm;
    if (fallback === undefined) throw new Error('the storm has raised no base');
    await remember(t, groupArn('web'), { storm: { since: old, last: old }, fallback });

    expect((await t.run('pools')).out).toContain('set to 7, 2 before');
  });

  it('asks AWS for the present bases only when told to', async () => {
    const { run } = await stormy({ onDemandBases: { workers: 9, web: null } });

    expect((await run('pools')).out).not.toContain(' now');
    const { out } = await run('pools', '--live');

    expect(out).toContain('9 now; set to 7, 2 before');
    expect(out).toContain('none now');
  });

  it('shows nothing of services, streams, or a fallback that ended', async () => {
    const t = terminal();
    await remember(t, 'arn:aws:ecs:eu-west-1:111122223333:service/prod/web', storm);
    await remember(t, streamArn(), storm);
    const { fallback } = storm;
    if (fallback === undefined) throw new Error('the storm has raised no base');
    await remember(t, groupArn('web'), { fallback: { ...fallback, end: 'taken-over' } });

    expect((await t.run('pools')).out).toBe('EC2 took no Spot capacity back in the last hour.');
  });

  it('gives a script the counters', async () => {
    const { run } = await stormy();

    const { out } = await run('pools', '--json');

    expect(JSON.parse(out)).toMatchObject([
      { name: 'web', fallback: null },
      {
        name: 'workers',
        resource: groupArn('workers'),
        fallback: { set: 7, original: 2 },
        pools: [{ pool: 'm5.large eu-west-1a', lost: 5, lostInHour: 7, size: 12, depleted: true }, { failed: 1 }],
      },
    ]);
  });

  it('says what to do without credentials', async () => {
    const unreachable = Object.assign(new Error('Could not load credentials from any providers'), {
      name: 'CredentialsProviderError',
    });

    const { code, out, err } = await terminal({ unreachable }).run('pools');

    expect([code, out]).toEqual([1, '']);
    expect(err).toContain('No AWS credentials.');
    expect(err).toContain('AWS_PROFILE');
  });

  it('takes no argument', async () => {
    const { code, err } = await terminal().run('pools', 'workers');

    expect(code).toBe(2);
    expect(err).toContain('one argument too many');
  });
});
