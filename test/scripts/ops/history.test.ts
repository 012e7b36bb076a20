import { describe, expect, it } from 'vitest';
import { momentOf } from '../../../scripts/ops/history.ts';
import { recordId } from '../../../shared/ledger/ledger.ts';
import { awaitCheck, hold, noteNotified } from '../../../shared/ledger/state.ts';
import { at, streamArn } from '../../support/event-builders.ts';
import {
  fn,
  incidentId,
  now,
  record,
  type Terminal,
  type TerminalOptions,
  terminal,
  verifications,
} from './terminal.ts';

const key = (name?: string) => ({ fn, resource: streamArn(name) });

/** A stream with a closed incident of three records. */
async function resharded(options: TerminalOptions = {}): Promise<Terminal> {
  const made = terminal(options);
  for (const each of [record(), ...verifications()]) await made.ledger.record(each);
  await made.ledger.update(key(), undefined, (state) => ({
    state: { ...state, attempts: { UpdateShardCount: [at, at - 3_600_000, at - 25 * 3_600_000] } },
  }));
  return made;
}

describe('the table', () => {
  it('has a line a decision, newest first, with the calls in short', async () => {
    const { run } = await resharded();
    const { code, out } = await run('history', 'orders');
    expect(code).toBe(0);
    const [arn, head, ...rows] = out.split('\n');
    expect(arn).toBe(streamArn());
    expect(head).toBe('TIME (UTC)           TRIGGER    DECISION  REASON           CALLS');
    expect(rows.slice(0, 3)).toEqual([
      '2026-03-05 03:16:15  follow-up  skip      resolved         -',
      '2026-03-05 03:13:00  follow-up  defer     stream-updating  -',
      '2026-03-05 03:12:00  alarm      act       scale-up         UpdateShardCount TargetShardCount=2',
    ]);
  });

  it('without a resource is of all of them, also where some have a name without a slash', async () => {
    const { run, ledger } = terminal();
    const resources = ['stream/a', 'replicationgroup:b'].map((name) => `arn:aws:any:eu-west-1:111122223333:${name}`);
    for (const [i, resource] of [...resources, 'https://shop.example/'].entries()) {
      await ledger.update({ fn, resource }, undefined, (state) => ({
        state: { ...state, attempts: { UpdateShardCount: [at] } },
      }));
      await ledger.record(record({ resource, recordId: recordId(at, String(i)) }));
    }

    const [history, budgets] = [await run('history'), await run('budgets')];

    for (const name of ['stream/a', 'replicationgroup:b', 'https://shop.example/']) {
      expect(history.out).toContain(`  ${name}  `);
      expect(budgets.out).toContain(`${name}  `);
    }
  });

  it('says what is left of the budget, counting only attempts inside the window', async () => {
    const { run } = await resharded();
    const { out } = await run('history', 'orders');
    expect(out).toContain('Budget: UpdateShardCount 2 of 10 used; the oldest counts until 2026-03-06 02:17:00 UTC.');
  });

  it('tells a dry run and a failed call from what was done', async () => {
    const { run, ledger } = terminal();
    const [action] = record().actions;
    if (action === undefined) throw new Error('no action');
    await ledger.record(record({ dryRun: true }));
    await ledger.record(record({ recordId: recordId(at, 'x'), actions: [{ ...action, error: 'AccessDenied: no' }] }));
    const { out } = await run('history', streamArn());
    expect(out).toContain('act (dry run)');
    expect(out).toContain('UpdateShardCount TargetShardCount=2 FAILED');
  });

  it('finds a resource by name that has records and no state', async () => {
    const { run, ledger } = terminal();
    await ledger.record(record({ decision: 'skip', reason: 'within-band', incidentId: null, actions: [] }));
    for (const name of ['orders', 'stream/orders', streamArn()]) {
      expect((await run('history', name)).out).toContain('within-band');
    }
  });

  it('shows every resource whose name contains the text, and prefers the one that is called so', async () => {
    const { run, ledger } = terminal();
    for (const name of ['orders', 'orders-eu', 'clicks']) {
      await ledger.record(record({ resource: streamArn(name) }));
      await ledger.update(key(name), undefined, (state) => ({ state: noteNotified(state, 'told', at) }));
    }
    const part = await run('history', 'order');
    expect(part.out).toContain('stream/orders-eu');
    expect(part.out).toMatch(/stream\/orders /);
    expect(part.out).not.toContain('clicks');
    expect((await run('history', 'orders')).out).not.toContain('orders-eu');
    expect((await run('history')).out).toContain('stream/clicks');
  });

  it('holds no more lines than asked for', async () => {
    const { run } = await resharded();
    const { out } = await run('history', 'orders', '--limit', '1', '--json');
    expect(JSON.parse(out).records).toHaveLength(1);
  });

  it('is no wider than the terminal, and shows no control character', async () => {
    const { run, ledger } = terminal({ width: 80 });
    const call = { call: 'UpdateShardCount', params: { Note: `${'x'.repeat(200)}\u001b[2J` } };
    await ledger.record(record({ actions: [call] }));
    const { out } = await run('history', streamArn());
    const table = out.split('\n').slice(1, 3);
    for (const line of table) expect(line.length).toBeLessThanOrEqual(80);
    expect((await run('history', streamArn(), '--last')).out).not.toContain('\u001b');
  });

  it('says so where nothing is known, and what that may mean', async () => {
    const { run } = terminal();
    expect(await run('history')).toMatchObject({ code: 0, out: 'Nothing is recorded yet.' });
    const { code, err } = await run('history', 'orders');
    expect(code).toBe(1);
    expect(err).toContain('does not carry the tag reflex:enabled = true');
  });
});

describe('the story of an incident', () => {
  it('answers why it did that at 03:12', async () => {
    const { run } = await resharded();
    const { code, out } = await run('history', 'orders', '--at', '03:12');
    expect(code).toBe(0);
    for (const part of [
      `incident ${incidentId}`,
      '2026-03-05 03:12:00 UTC to 2026-03-05 03:16:15 UTC (4 min 15 s, 1 act, 3 records)',
      'alarm -> act, scale-up',
      'alarm orders-throughput-high is ALARM: Threshold Crossed',
      'Peak of the last minutes 0.95 MiB/s: 95 % of 1 shard. 1 -> 2.',
      'Demand exceeds what the open shards carry',
      `UpdateShardCount {"StreamARN":"${streamArn()}", "TargetShardCount":2} - made`,
      'follow-up -> defer, stream-updating',
      'follow-up -> skip, resolved',
      '1-69a8f3c0-0123456789abcdef01234567',
      'Closed: resolved.',
    ]) {
      expect(out).toContain(part);
    }
    expect(out.indexOf('alarm -> act')).toBeLessThan(out.indexOf('follow-up -> skip'));
  });

  it('is the same by --last and by its id', async () => {
    const { run } = await resharded();
    const last = await run('history', 'orders', '--last');
    expect(last.out).toContain('Closed: resolved.');
    expect(await run('history', '--incident', incidentId)).toEqual(last);
    expect(JSON.parse((await run('history', '--last', '--json')).out)).toMatchObject({
      incident: { id: incidentId, ending: { kind: 'closed' } },
      records: [{ reason: 'scale-up' }, { reason: 'stream-updating' }, { reason: 'resolved' }],
    });
  });

  it('says when an open one is looked at next', async () => {
    const { run, ledger } = terminal();
    await ledger.record(record());
    const incident = { id: incidentId, cause: 'alarm' };
    await ledger.update(key(), undefined, (state) => ({
      state: awaitCheck(state, { occurrences: [], incident, reason: 'measuring', until: now + 90_000 }, at),
    }));
    const { out } = await run('history', 'orders', '--last');
    expect(out).toContain('Still open. Next check at 2026-03-05 03:28:30 UTC (in 1 min 30 s).');
  });

  it('says that a person was told, what to do, and that the resource is held', async () => {
    const { run, ledger } = terminal();
    await ledger.record(
      record({ decision: 'escalate', reason: 'not-converging', advice: 'Look at the keys.', actions: [] }),
    );
    await ledger.update(key(), undefined, (state) => ({
      state: hold(state, { reason: 'not converging', by: 'reflex' }, at),
    }));
    const { out } = await run('history', 'orders', '--last');
    expect(out).toContain('Look at the keys.');
    expect(out).toContain('Handed to a person: not-converging.');
    expect(out).toContain('on hold since 2026-03-05 03:12:00 UTC by reflex: not converging');
  });

  it('never calls a made call one whose result is not known, that failed, or that a dry run left out', async () => {
    const { run, ledger } = terminal();
    const told = async (changes: Parameters<typeof record>[0]) => {
      await ledger.record(record(changes));
      return (await run('history', streamArn(), '--last')).out;
    };
    expect(await told({ unresolved: true })).toContain('result unknown');
    expect(await told({ dryRun: true })).toContain('not made: dry run');
    const [action] = record().actions;
    if (action === undefined) throw new Error('no action');
    expect(await told({ actions: [{ ...action, error: 'LimitExceededException: ten' }] })).toContain(
      'FAILED: LimitExceededException: ten',
    );
    const unknown = {
      decision: 'defer',
      reason: 'act-unknown',
      actions: [{ ...action, error: 'TimeoutError' }],
    } as const;
    expect(await told(unknown)).toContain('result unknown: TimeoutError');
  });

  it('tells a record without an incident alone', async () => {
    const { run, ledger } = terminal();
    await ledger.record(record({ incidentId: null, decision: 'skip', reason: 'within-band', actions: [] }));
    const { out } = await run('history', streamArn(), '--at', '03:12');
    expect(out).toContain('alarm -> skip, within-band');
    expect((await run('history', streamArn(), '--last')).err).toContain('No incident among the records');
  });

  it('says so where nothing was recorded around the time', async () => {
    const { run } = await resharded();
    const { out } = await run('history', 'orders', '--at', '2026-03-05T01:00');
    expect(out).toContain('Nothing is recorded around 2026-03-05 01:00:00 UTC. The nearest is 2 h 12 min later:');
  });

  it('refuses an id that is not there', async () => {
    const { run } = await resharded();
    const { code, err } = await run('history', 'orders', '--incident', 'rfx-other');
    expect(code).toBe(1);
    expect(err).toContain('No record of incident "rfx-other"');
  });
});

describe('a time', () => {
  const noon = Date.parse('2026-03-05T12:00:00Z');

  it.each([
    ['03:12', '2026-03-05T03:12:00Z'],
    ['3:12', '2026-03-05T03:12:00Z'],
    ['03:12:40', '2026-03-05T03:12:40Z'],
    ['12:01', '2026-03-04T12:01:00Z'],
    ['2026-03-01T03:12', '2026-03-01T03:12:00Z'],
    ['2026-03-01 03:12:40', '2026-03-01T03:12:40Z'],
    ['2026-03-01 03:12 UTC', '2026-03-01T03:12:00Z'],
    ['2026-03-01T03:12:40.123Z', '2026-03-01T03:12:40.123Z'],
  ])('%s is the last one that has passed, in UTC', (text, expected) => {
    expect(momentOf(text, noon)).toBe(Date.parse(expected));
  });

  it.each(['24:30', '3', 'noon', '2026-13-01T00:00', '2026-03-01T03:12+02:00'])('%s is refused', (text) => {
    expect(() => momentOf(text, noon)).toThrow('expected a time in UTC');
  });
});
