import { describe, expect, it } from 'vitest';
import type { Outcome } from '../../../shared/decision.ts';
import { hold } from '../../../shared/ledger/state.ts';
import { at, streamArn } from '../../support/event-builders.ts';
import { deployed, terminal } from './terminal.ts';

const orders = streamArn();
const outcome: Outcome = {
  resource: orders,
  decision: 'act',
  reason: 'scale-up',
  why: '95 % of 1 shard. 1 -> 2.',
  actions: [{ call: 'UpdateShardCount', params: { StreamARN: orders, TargetShardCount: 2 } }],
  dryRun: true,
  incidentId: null,
};
const answering = (changes: Partial<Outcome> = {}) => {
  const questions: unknown[][] = [];
  return {
    questions,
    explain: async (fn: { readonly name: string }, resource: string, as: string) => {
      questions.push([fn.name, resource, as]);
      return { outcomes: [{ ...outcome, ...changes }], notForUs: {}, failures: [] };
    },
  };
};

describe('explain', () => {
  it('asks the deployed function, and shows what it would do, why, and that it was not done', async () => {
    const { questions, explain } = answering();

    const { code, out } = await terminal({ explain }).run('explain', 'orders');

    expect(code).toBe(0);
    expect(questions).toEqual([['reshard-kinesis', orders, 'alarm']]);
    expect(out).toContain('Nothing was done.');
    expect(out).toContain('reshard-kinesis -> act, scale-up');
    expect(out).toContain('95 % of 1 shard. 1 -> 2.');
    expect(out).toContain('UpdateShardCount TargetShardCount=2 (in dry-run it is only recorded)');
  });

  it('says that a function in mode on would make the calls', async () => {
    const { explain } = answering();
    const { ledger, run } = terminal({ explain });
    await ledger.setMode('*', 'on', 'ada');

    expect((await run('explain', 'orders')).out).toContain('(it would be made)');
  });

  it('asks as the schedule would where told to', async () => {
    const { questions, explain } = answering();

    const { out } = await terminal({ explain }).run('explain', orders, '--as', 'tick');

    expect(questions).toEqual([['reshard-kinesis', orders, 'tick']]);
    expect(out).toContain('What the schedule would lead to now');
  });

  it('asks check-site about a site, which need not have failed before', async () => {
    const { questions, explain } = answering();
    const functions = [deployed(), deployed('check-site')];
    const site = 'https://shop.example/health#well';

    await terminal({ explain, functions }).run('explain', site);

    expect(questions).toEqual([['check-site', site, 'tick']]);
  });

  it('asks every function that looks after the resource', async () => {
    const { questions, explain } = answering();
    const task = 'arn:aws:ecs:eu-west-1:111122223333:task/prod/7a75e7b735c14174aefbca3d0c1dd2c9';
    const functions = [deployed('drain-fargate'), deployed('resume-fargate'), deployed()];

    await terminal({ explain, functions }).run('explain', task);

    expect(questions.map(([name]) => name)).toEqual(['drain-fargate', 'resume-fargate']);
  });

  it('takes stream/NAME for a stream that nothing is recorded of', async () => {
    const { questions, explain } = answering();
    const functions = [deployed(), deployed('relieve-elasticache'), deployed('tune-alarms')];

    const { code } = await terminal({ explain, functions }).run('explain', 'stream/orders');

    expect(code).toBe(0);
    expect(questions.map(([name, resource]) => [name, resource])).toEqual([
      ['reshard-kinesis', orders],
      ['tune-alarms', orders],
    ]);
  });

  it('asks which is meant where a bare name may be a stream or a cache', async () => {
    const functions = [deployed(), deployed('relieve-elasticache')];

    const { code, err } = await terminal({ ...answering(), functions }).run('explain', 'orders');

    expect(code).toBe(2);
    expect(err).toContain(`${orders}\n`);
    expect(err).toContain(':replicationgroup:orders');
  });

  it('shows the hold and the advice', async () => {
    const { explain } = answering({ decision: 'escalate', reason: 'held', actions: [], advice: 'Release it.' });
    const { ledger, run } = terminal({ explain });
    await ledger.update({ fn: 'reshard-kinesis', resource: orders }, undefined, (state) => ({
      state: hold(state, { reason: 'load test', by: 'ann' }, at),
    }));

    const { out } = await run('explain', 'orders');

    expect(out).toContain('Release it.');
    expect(out).toContain('on hold since 2026-03-05 03:12:00 UTC by ann: load test');
  });

  it('gives a script the whole answer', async () => {
    const { out } = await terminal(answering()).run('explain', 'orders', '--json');

    expect(JSON.parse(out)).toEqual([
      { fn: 'reshard-kinesis', mode: 'dry-run', outcomes: [outcome], notForUs: {}, failures: [] },
    ]);
  });

  it('fails where the function could not find out', async () => {
    const explain = async () => ({
      outcomes: [],
      notForUs: {},
      failures: [{ message: 'direct', error: 'AccessDenied: kinesis:ListShards' }],
    });

    const { code, out } = await terminal({ explain }).run('explain', 'orders');

    expect(code).toBe(1);
    expect(out).toContain('AccessDenied: kinesis:ListShards');
  });

  it.each([
    ['no resource', ['explain'], 'which resource'],
    ['another trigger', ['explain', 'orders', '--as', 'recovery'], 'expected alarm or tick'],
  ])('refuses %s', async (_, argv, message) => {
    const { code, err } = await terminal().run(...argv);

    expect(code).toBe(2);
    expect(err).toContain(message);
  });

  it('says that nobody looks after a resource', async () => {
    const { code, err } = await terminal().run('explain', 'arn:aws:s3:::bucket');

    expect(code).toBe(1);
    expect(err).toContain('No function looks after');
  });
});
