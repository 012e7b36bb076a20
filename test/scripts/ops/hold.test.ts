import { describe, expect, it } from 'vitest';
import { hold, noteNotified } from '../../../shared/ledger/state.ts';
import { at, streamArn } from '../../support/event-builders.ts';
import { fn, terminal } from './terminal.ts';

const key = (name?: string) => ({ fn, resource: streamArn(name) });

async function known(...names: string[]) {
  const made = terminal();
  for (const name of names) {
    await made.ledger.update(key(name), undefined, (state) => ({ state: noteNotified(state, 'told', at) }));
  }
  return made;
}

const holdOf = async ({ ledger }: Awaited<ReturnType<typeof known>>, name = 'orders') =>
  (await ledger.read(fn, [streamArn(name)])).states.get(streamArn(name))?.hold;

describe('hold', () => {
  it('puts the one resource of that name on hold, with the reason and who asked', async () => {
    const made = await known('orders', 'orders-eu');
    const { code, out } = await made.run('hold', 'orders', '--reason', 'load test', '--yes');
    expect(code).toBe(0);
    expect(out).toContain('npm run ops -- release stream/orders');
    expect(await holdOf(made)).toMatchObject({ reason: 'load test', by: 'ada' });
    expect(await holdOf(made, 'orders-eu')).toBeUndefined();
  });

  it('says how it ends with a command that reaches the same stack', async () => {
    const made = await known('orders');
    const { out } = await made.run('hold', 'orders', '--reason', 'load test', '--yes', '--prefix', 'reflex-dev');
    expect(out).toContain('npm run ops -- release --prefix reflex-dev stream/orders');
    const { err } = await made.run('history', 'nothing', '--prefix', 'reflex-dev');
    expect(err).toContain('npm run ops -- history --prefix reflex-dev lists what is known.');
  });

  it('refuses a text that means several', async () => {
    const made = await known('orders-us', 'orders-eu');
    const { code, err } = await made.run('hold', 'orders-', '--reason', 'load test', '--yes');
    expect(code).toBe(2);
    expect(err).toContain(streamArn('orders-eu'));
    expect(await holdOf(made, 'orders-eu')).toBeUndefined();
  });

  it('refuses an empty name, also where one resource is all there is', async () => {
    const made = await known('orders');

    const { code, err } = await made.run('hold', '', '--reason', 'load test', '--yes');

    expect(code).toBe(2);
    expect(err).toContain('Which resource?');
    expect(await holdOf(made)).toBeUndefined();
  });

  it('holds a resource before Reflex ever saw it, and says so', async () => {
    const made = await known();
    const { out } = await made.run('hold', 'orders', '--reason', 'migration', '--yes');
    expect(out).toContain('The ledger holds no state of it yet: check the name.');
    expect(await holdOf(made)).toMatchObject({ reason: 'migration' });
  });

  it('refuses an ARN that no function looks after', async () => {
    const made = await known();
    const { code, err } = await made.run('hold', 'arn:aws:sqs:eu-west-1:111122223333:q', '--reason', 'x', '--yes');
    expect(code).toBe(1);
    expect(err).toContain('No function looks after');
  });

  it('leaves the first hold as it is', async () => {
    const made = await known('orders');
    await made.ledger.update(key(), undefined, (state) => ({
      state: hold(state, { reason: 'not converging', by: 'reflex' }, at),
    }));
    const { code, out } = await made.run('hold', 'orders', '--reason', 'mine', '--yes');
    expect(code).toBe(0);
    expect(out).toContain('by reflex: not converging');
    expect(await holdOf(made)).toMatchObject({ by: 'reflex' });
  });
});

describe('release', () => {
  it('ends the hold, after showing why it was', async () => {
    const made = await known('orders');
    await made.run('hold', 'orders', '--reason', 'load test', '--yes');
    const { code, out } = await made.run('release', streamArn(), '--yes');
    expect(code).toBe(0);
    expect(out).toContain('by ada: load test');
    expect(await holdOf(made)).toBeUndefined();
  });

  it('says so where nothing is held', async () => {
    const made = await known('orders');
    expect(await made.run('release', 'orders', '--yes')).toMatchObject({
      code: 0,
      out: 'stream/orders is not on hold.',
    });
  });

  it('asks first', async () => {
    const made = await known('orders');
    await made.run('hold', 'orders', '--reason', 'load test', '--yes');
    const { code } = await made.run('release', 'orders');
    expect(code).toBe(2);
    expect(await holdOf(made)).toMatchObject({ reason: 'load test' });
  });
});

describe('incidents', () => {
  it('says so where nothing is open', async () => {
    const made = await known('orders');
    expect(await made.run('incidents')).toMatchObject({ code: 0, out: 'Nothing is open and nothing is on hold.' });
  });

  it('lists what is held, by whom and why', async () => {
    const made = await known('orders', 'clicks');
    await made.run('hold', 'clicks', '--reason', 'load test', '--yes');
    const { out } = await made.run('incidents');
    expect(out).toMatch(/stream\/clicks +reshard-kinesis +2026-03-05 03:27:00 +- +on hold/);
    expect(out).toContain('held by ada: load test');
    expect(out).not.toContain('stream/orders');
  });

  it('lists what is open with its acts, its next check and its budget, oldest first', async () => {
    const made = await known();
    const open = (name: string, openedAt: number, nextCheckAt: number) =>
      made.ledger.update(key(name), undefined, (state) => ({
        state: {
          ...state,
          attempts: { UpdateShardCount: [at] },
          incident: {
            id: `rfx-${name}`,
            openedAt,
            cause: 'alarm',
            steps: 2,
            failedVerifications: 0,
            check: 2,
            nextCheckAt,
            lastReason: 'measuring' as const,
          },
        },
      }));
    await open('orders', at + 60_000, at + 16 * 60_000);
    await open('clicks', at, at + 5 * 60_000);
    const { out } = await made.run('incidents');
    const [, clicks, orders] = out.split('\n');
    expect(clicks).toMatch(
      /^stream\/clicks .* 2 +measuring, next check due since 10 min +UpdateShardCount 1 of 10 +rfx-clicks$/,
    );
    expect(orders).toMatch(/^stream\/orders .* 2 +measuring, next check in 1 min /);
    expect(out).toContain('2 open incidents, 0 on hold.');
    expect(JSON.parse((await made.run('incidents', '--json')).out)).toMatchObject([
      { resource: streamArn('clicks'), budgets: [{ used: 1, limit: 10 }] },
      { resource: streamArn('orders') },
    ]);
  });
});
