import { expect, it } from 'vitest';
import { streamArn } from '../../support/event-builders.ts';
import { now, terminal } from './terminal.ts';

const hour = 3_600_000;
const attempts =
  (stream: string, hoursAgo: readonly number[]) =>
  async ({ ledger, run }: ReturnType<typeof terminal>) => {
    await ledger.update({ fn: 'reshard-kinesis', resource: streamArn(stream) }, undefined, (state) => ({
      state: { ...state, attempts: { UpdateShardCount: hoursAgo.map((hours) => now - hours * hour) } },
    }));
    return run;
  };

it('shows what is left of each budget, the scarcest first, and when an attempt comes free', async () => {
  const one = terminal();
  await attempts('calm', [1])(one);
  await attempts('orders', [1, 2, 3, 4, 5, 6, 7, 8, 9, 23])(one);

  const { out } = await one.run('budgets');

  const [head, first, second] = out.split('\n');
  expect(head).toMatch(/RESOURCE +FUNCTION +BUDGET +USED +LEFT +NEXT FREE/);
  expect(first).toMatch(/stream\/orders +reshard-kinesis +UpdateShardCount +10 +0 +.*\(in 1 h 5 min\)/);
  expect(second).toMatch(/stream\/calm .* 1 +9 /);
});

it('leaves out attempts that count no more', async () => {
  const one = terminal();
  await attempts('orders', [25])(one);

  expect((await one.run('budgets')).out).toBe('No attempt counts against a budget now.');
});

it('shows one resource where it is named', async () => {
  const one = terminal();
  await attempts('calm', [1])(one);
  await attempts('orders', [1])(one);

  const { out } = await one.run('budgets', 'orders', '--json');

  expect(JSON.parse(out)).toMatchObject([
    { resource: streamArn('orders'), budget: 'UpdateShardCount', used: 1, limit: 10 },
  ]);
});
