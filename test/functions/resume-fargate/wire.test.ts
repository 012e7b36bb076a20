import type { RunTaskRequest } from '@aws-sdk/client-ecs';
import { describe, expect, it } from 'vitest';
import type { Outcome } from '../../../shared/decision.ts';
import { AwsError } from '../../support/fake-aws/service.ts';
import { useFakeAws } from '../../support/fake-aws/use-fake-aws.ts';
import { storedRecords, storedState } from '../../support/fake-runtime.ts';
import { definitionArn, resumable, resumer, type WorkerOptions, worker } from '../../support/resume-fargate.ts';

const aws = await useFakeAws();
const SECOND = 1_000;
const MINUTE = 60 * SECOND;

const words = (outcomes: readonly Outcome[]) => outcomes.map(({ decision, reason }) => `${decision} ${reason}`);
const said = ({ outcomes }: { readonly outcomes: readonly Outcome[] }) => words(outcomes);
const runs = () => aws.called('RunTask') as readonly object[] as readonly RunTaskRequest[];
type Input = ReturnType<typeof runs>[number] | undefined;
const provider = (input: Input) => input?.launchType ?? input?.capacityProviderStrategy?.[0]?.capacityProvider;
const environmentOf = (input: Input, container = 0) => input?.overrides?.containerOverrides?.[container]?.environment;

/** Warned, and 50 s later stopped; what came of the second. */
const interrupted = async (options: WorkerOptions = {}, deployed: Parameters<typeof resumer>[1] = {}) => {
  const task = worker(aws, options);
  const fn = resumer(aws, deployed);
  const warned = await fn.batch(task.warn());
  aws.clock.advance(50 * SECOND);
  const result = await fn.batch(task.stop());
  return { ...fn, task, warned, result };
};
const tagList = (tags: Readonly<Record<string, string>>) =>
  Object.entries(tags).map(([key, value]) => ({ key, value }));
const variable = (name: string, value: string) => ({ name, value });
const startAll = () => {
  for (const { taskArn } of aws.ecs.tasksRun()) aws.ecs.changeTask(String(taskArn), { lastStatus: 'RUNNING' });
};

/** Sleepers that wake in the order of their time; the clock moves only when all else is quiet. */
const sleepers = () => {
  const waiting: { readonly until: number; readonly wake: () => void }[] = [];
  const sleep = (ms: number) =>
    new Promise<void>((wake) => void waiting.push({ until: aws.clock() + Math.max(1, ms), wake }));
  const during = async <T>(work: Promise<T>): Promise<T> => {
    let over = false;
    const ended = work.finally(() => {
      over = true;
    });
    while (!over) {
      await aws.quiet();
      const next = Math.min(...waiting.map(({ until }) => until));
      if (next > aws.clock() && next < Number.POSITIVE_INFINITY) aws.clock.advance(next - aws.clock());
      for (const one of waiting.splice(0)) one.until <= aws.clock() ? one.wake() : waiting.push(one);
    }
    return ended;
  };
  return { sleep, during };
};

describe('an interruption', () => {
  it('is resumed with what the task had: revision, network, overrides byte for byte, and the resume variables', async () => {
    const task = worker(aws, { publicIp: '198.51.100.7' });
    const { batch } = resumer(aws);

    const warned = await batch(task.warn());
    aws.clock.advance(50 * SECOND);
    const stopped = await batch(task.stop());

    expect(said(warned)).toEqual(['defer task-stopping']);
    expect(said(stopped)).toEqual(['act resume-task']);
    expect(runs()).toEqual([
      {
        cluster: 'arn:aws:ecs:eu-west-1:111122223333:cluster/prod',
        taskDefinition: definitionArn,
        count: 1,
        capacityProviderStrategy: [{ capacityProvider: 'FARGATE_SPOT', weight: 1 }],
        networkConfiguration: {
          awsvpcConfiguration: {
            subnets: ['subnet-02aa0123456789abc'],
            securityGroups: ['sg-0123456789abcdef0', 'sg-0123456789abcdef1'],
            assignPublicIp: 'ENABLED',
          },
        },
        overrides: {
          containerOverrides: [
            {
              name: 'app',
              command: ['run', '--once'],
              environment: [
                { name: 'CHECKPOINT', value: 's3://example/secret' },
                { name: 'REFLEX_RESUME_ATTEMPT', value: '1' },
                { name: 'REFLEX_RESUME_ROOT', value: task.id },
                { name: 'REFLEX_RESUME_OF', value: task.arn },
                { name: 'REFLEX_RESUME_REASON', value: 'SpotInterruption' },
              ],
            },
          ],
        },
        platformVersion: '1.4.0',
        startedBy: `reflex-resume/${task.id}/1`,
        tags: [
          { key: 'reflex:enabled', value: 'true' },
          { key: 'reflex:resume', value: 'true' },
          { key: 'reflex:resume-root', value: task.id },
          { key: 'reflex:resume-attempt', value: '1' },
        ],
        clientToken: `${task.id}/1/FARGATE_SPOT/0`,
      },
    ]);
  });

  it('is remembered until then without any value of its environment', async () => {
    const { world, task, runtime, result } = await interrupted();

    const kept = JSON.stringify([
      storedState(world, task.arn),
      storedRecords(world),
      runtime.decisions,
      result,
      world.inbox,
      world.told,
    ]);
    expect(kept).not.toContain('s3://example/secret');
    expect(kept).not.toContain('--once');
    expect(kept).toContain('CHECKPOINT');
    expect(kept).toContain('REFLEX_RESUME_ATTEMPT');
    expect(environmentOf(runs()[0])).toContainEqual(variable('CHECKPOINT', 's3://example/secret'));
  });

  it('is resolved when the task that goes on is running, and a person is told once of the act', async () => {
    const { pass, world } = await interrupted();
    startAll();

    const later = await pass(5 * MINUTE);

    expect(words(later)).toContain('skip resolved');
    expect(runs()).toHaveLength(1);
    expect(world.told.map(({ record }) => record.reason)).toEqual(['resume-task']);
  });

  it('whose later events come after the act, or twice, or in any order, runs one task', async () => {
    const { batch, task, pass } = await interrupted();
    await pass(SECOND);

    const results = [
      await batch(task.stop()),
      await batch(task.event({ lastStatus: 'STOPPING', version: 7 })),
      await batch(task.event({ lastStatus: 'DEPROVISIONING', version: 8 })),
    ];

    expect(results.flatMap(said)).toEqual(['skip duplicate', 'skip duplicate', 'skip duplicate']);
    expect(runs()).toHaveLength(1);
  });

  it.each([
    ['SpotInterruption', { stopCode: 'SpotInterruption', stoppedReason: '' }],
    ['TerminationNotice', { stopCode: 'TerminationNotice', stoppedReason: '' }],
    ['no stopCode, but the reason', { stopCode: null }],
    ['an empty stopCode, and the reason', { stopCode: '' }],
  ])('is known by %s', async (_, options) => {
    const task = worker(aws);
    task.warn();

    const result = await resumer(aws).batch(task.event({ lastStatus: 'DEACTIVATING', version: 7, ...options }));

    expect(said(result)).toEqual(['defer task-stopping']);
  });

  it('is never acted on before the task has stopped: two copies would race for one checkpoint', async () => {
    const task = worker(aws);
    const { batch } = resumer(aws);

    const results = [
      await batch(task.warn({ lastStatus: 'RUNNING', version: 5 })),
      await batch(task.event({ lastStatus: 'DEACTIVATING', version: 6 })),
      await batch(task.event({ lastStatus: 'STOPPING', version: 7 })),
    ];

    expect(results.flatMap(said)).toEqual(['defer task-stopping', 'skip duplicate', 'skip duplicate']);
    expect(runs()).toEqual([]);
  });

  it('whose STOPPED event never comes is found by the check', async () => {
    const task = worker(aws);
    const { batch, pass } = resumer(aws);
    await batch(task.warn());
    aws.clock.advance(50 * SECOND);
    task.stop();

    const outcomes = await pass(3 * MINUTE);

    expect(words(outcomes)).toContain('act resume-task');
    expect(runs()).toHaveLength(1);
  });

  it('that a person ended otherwise in the end is left alone', async () => {
    const task = worker(aws);
    const { batch, pass, world } = resumer(aws);
    await batch(task.warn());
    task.stop();
    aws.ecs.changeTask(task.arn, { stopCode: 'UserInitiated', stoppedReason: 'enough' });

    const outcomes = await pass(4 * MINUTE);

    expect(words(outcomes)).toEqual(['skip stopped-otherwise']);
    expect(storedState(world, task.arn)?.incident).toBeUndefined();
    expect(runs()).toEqual([]);
  });

  it('keeps the network that one of two invocations at once could read, whoever ends first', async () => {
    const task = worker(aws);
    const notice = task.warn();
    const first = resumer(aws);
    const { promise: gate, resolve } = Promise.withResolvers<void>();
    const slow = resumer(aws, {
      world: first.world,
      before: (port) => (port === 'table.putIfVersion' ? gate : Promise.resolve()),
    });
    aws.fault('DescribeNetworkInterfaces', new AwsError('UnauthorizedOperation', 'no', 403), 1);

    const late = slow.batch(task.event({ lastStatus: 'STOPPING', version: 7 }));
    while (aws.called('DescribeNetworkInterfaces').length === 0) await aws.quiet();
    const saved = await first.batch(notice);
    resolve();
    await late;
    aws.clock.advance(50 * SECOND);
    const stopped = await first.batch(task.stop());

    expect(saved.outcomes[0]?.why).toContain('saved: subnet-02aa0123456789abc');
    expect(said(stopped)).toEqual(['act resume-task']);
  });

  it('keeps the network a notice could not read for the next one to read', async () => {
    const task = worker(aws);
    const { batch } = resumer(aws);
    aws.fault('DescribeNetworkInterfaces', new AwsError('UnauthorizedOperation', 'no', 403), 1);

    const results = [
      await batch(task.warn()),
      await batch(task.event({ lastStatus: 'STOPPING', version: 7 })),
      await batch(task.stop()),
    ];

    expect(results.flatMap(said)).toEqual(['defer task-stopping', 'defer task-stopping', 'act resume-task']);
  });
});

describe('opting in', () => {
  it.each([
    ['both tags on the task', resumable, {}],
    ['both tags on its definition', {}, resumable],
    ['one here, one there', { 'reflex:enabled': 'true' }, { 'reflex:resume': 'true' }],
  ])('by %s is enough', async (_, tags, definitionTags) => {
    const { result } = await interrupted({ tags, definitionTags });

    expect(said(result)).toEqual(['act resume-task']);
  });

  it.each([
    ['enabled alone', { 'reflex:enabled': 'true' }, {}, 'skip resume-not-wanted'],
    ['resume alone', { 'reflex:resume': 'true' }, {}, 'skip not-opted-in'],
    ['neither', {}, {}, 'skip not-opted-in'],
    ["the task's no", { 'reflex:resume': 'false' }, resumable, 'skip resume-not-wanted'],
    ["the task's own opt-out", { 'reflex:enabled': 'false' }, resumable, 'skip not-opted-in'],
    ["the task's malformed opt-out", { 'reflex:enabled': 'no' }, resumable, 'escalate bad-tag'],
    ['an unknown tag', { ...resumable, 'reflex:resum-max': '3' }, {}, 'escalate bad-tag'],
    ['a malformed tag', { ...resumable, 'reflex:resume-max': 'many' }, {}, 'escalate bad-tag'],
  ])(
    'by %s is none: %s, and nothing is run even where the network is configured',
    async (_, tags, definitionTags, expected) => {
      const { warned, result } = await interrupted(
        { tags, definitionTags },
        { env: { RESUME_SECURITY_GROUPS: 'sg-00000001' } },
      );

      expect(said(warned)).toEqual([expected]);
      expect(said(result)).not.toContain('act resume-task');
      expect(runs()).toEqual([]);
    },
  );

  it('in dry run the same plan is shown, with names and without values, and nothing is run', async () => {
    const { result } = await interrupted({}, { stackMode: 'dry-run' });

    expect(result.outcomes).toMatchObject([{ decision: 'act', reason: 'resume-task', dryRun: true }]);
    expect(JSON.stringify(result.outcomes)).toContain('"name":"CHECKPOINT","value":"***"');
    expect(runs()).toEqual([]);
  });

  it.each([
    ['a task of a service', { service: 'web' }, 'task-of-a-service'],
    ['another stopCode', { stopCode: 'UserInitiated' }, 'not-a-spot-interruption'],
    ['a stopCode of tomorrow', { stopCode: 'InfrastructureHealth' }, 'not-a-spot-interruption'],
    ['on-demand capacity', { capacityProviderName: 'FARGATE' }, 'not-a-spot-interruption'],
  ])('%s costs no call', async (_, options, reason) => {
    const task = worker(aws);

    const result = await resumer(aws).batch(task.event(options));

    expect(result).toMatchObject({ outcomes: [], notForUs: { [reason]: 1 } });
    expect(aws.calls).toEqual([]);
  });
});

describe('the exit code', () => {
  it.each([
    [0, {}, 'act resume-task'],
    [75, {}, 'act resume-task'],
    [137, {}, 'act resume-task'],
    [0, { 'reflex:resume-done-on-zero': 'true' }, 'skip work-done'],
    [75, { 'reflex:resume-done-on-zero': 'true' }, 'act resume-task'],
  ])('%d with %o: %s', async (exitCode, more, expected) => {
    const { result } = await interrupted({ exitCode, tags: { ...resumable, ...more } });

    expect(said(result)).toEqual([expected]);
  });

  it('of a container that is not essential says nothing', async () => {
    const containers = [
      { name: 'app', essential: true },
      { name: 'side', essential: false },
    ];
    const tags = { ...resumable, 'reflex:resume-done-on-zero': 'true' };
    const { task, batch } = await interrupted({ containers, tags, task: {} }, { stackMode: 'dry-run' });
    aws.ecs.changeTask(task.arn, {
      containers: [
        { name: 'app', exitCode: 0 },
        { name: 'side', exitCode: 143 },
      ],
    });

    const result = await batch(task.event({ lastStatus: 'STOPPED', version: 9 }));

    expect(said(result)).toEqual(['skip work-done']);
  });

  it('is awaited where DescribeTasks is behind the event', async () => {
    const task = worker(aws, { exitCode: 0, tags: { ...resumable, 'reflex:resume-done-on-zero': 'true' } });
    const { batch, pass } = resumer(aws);
    await batch(task.warn());

    const early = await batch(task.event({ lastStatus: 'STOPPED', version: 9 }));
    task.stop();
    const later = await pass(10 * SECOND);

    expect([...said(early), ...words(later)]).toEqual(['defer task-stopping', 'skip work-done']);
  });
});

describe('attempts', () => {
  const resumedBefore = (attempt: number): WorkerOptions => ({
    overrides: {
      containerOverrides: [
        {
          name: 'app',
          environment: [
            variable('REFLEX_RESUME_ATTEMPT', String(attempt)),
            variable('CHECKPOINT', 'x'),
            variable('REFLEX_RESUME_ROOT', 'a'.repeat(32)),
            variable('REFLEX_RESUME_OF', 'older'),
          ],
        },
      ],
    },
  });

  it('from the second on run on demand, with the variables replaced where they stand', async () => {
    const { task } = await interrupted(resumedBefore(1));

    expect(provider(runs()[0])).toBe('FARGATE');
    expect(runs()[0]).not.toHaveProperty('capacityProviderStrategy');
    expect(runs()[0]?.startedBy).toBe(`reflex-resume/${'a'.repeat(32)}/2`);
    expect(environmentOf(runs()[0])).toEqual([
      variable('REFLEX_RESUME_ATTEMPT', '2'),
      variable('CHECKPOINT', 'x'),
      variable('REFLEX_RESUME_ROOT', 'a'.repeat(32)),
      variable('REFLEX_RESUME_OF', task.arn),
      variable('REFLEX_RESUME_REASON', 'SpotInterruption'),
    ]);
  });

  it.each([
    [2, {}, 'act resume-task'],
    [3, {}, 'escalate resume-limit'],
    [3, { 'reflex:resume-max': '4' }, 'act resume-task'],
    [1, { 'reflex:resume-max': '1' }, 'escalate resume-limit'],
  ])('resumed %d times before, with %o: %s', async (before, more, expected) => {
    const { result } = await interrupted({ ...resumedBefore(before), tags: { ...resumable, ...more } });

    expect(said(result)).toEqual([expected]);
  });

  it('that are used up are nobody’s trouble where the work is done', async () => {
    const tags = { ...resumable, 'reflex:resume-done-on-zero': 'true' };

    const { result, world } = await interrupted({ ...resumedBefore(3), tags, exitCode: 0 });

    expect(said(result)).toEqual(['skip work-done']);
    expect(world.told).toEqual([]);
  });
});

describe('a lack of capacity', () => {
  it.each(['failure', 'thrown'] as const)(
    '(%s) of Spot is a refusal, and on-demand is asked for with another token',
    async (how) => {
      aws.ecs.setShortage('FARGATE_SPOT', how);
      const { result, pass, world, task } = await interrupted();
      const later = await pass(10 * SECOND);
      startAll();
      const end = await pass(2 * MINUTE);

      expect(said(result)).toEqual(['defer no-capacity']);
      expect(result.outcomes[0]?.actions[0]?.error).toContain('Capacity is unavailable');
      expect([...words(later), ...words(end)]).toEqual(['act resume-task', 'skip resolved']);
      expect(runs().map(provider)).toEqual(['FARGATE_SPOT', 'FARGATE']);
      expect(runs()[0]?.clientToken).not.toBe(runs()[1]?.clientToken);
      expect(storedState(world, task.arn)?.incident).toBeUndefined();
    },
  );

  it('that shows only after the task was accepted is found by the check', async () => {
    aws.ecs.setShortage('FARGATE_SPOT', 'accepted');
    const { pass } = await interrupted();
    const later = await pass(2 * MINUTE);
    startAll();

    expect(words(later)[0]).toBe('act resume-task');
    expect(runs().map(provider)).toEqual(['FARGATE_SPOT', 'FARGATE']);
  });

  it('is no failure to start while its task is on its way out: on-demand is asked for when that has stopped', async () => {
    const { pass } = await interrupted();
    const [refused = ''] = aws.ecs.tasksRun().map(({ taskArn }) => String(taskArn));
    aws.ecs.changeTask(refused, {
      lastStatus: 'DEPROVISIONING',
      desiredStatus: 'STOPPED',
      stopCode: 'TaskFailedToStart',
      stoppedReason: 'Capacity is unavailable at this time.',
    });
    const leaving = await pass(MINUTE + SECOND);
    aws.ecs.changeTask(refused, { lastStatus: 'STOPPED' });
    const gone = await pass(MINUTE);

    expect([...words(leaving), ...words(gone)]).toEqual(['defer resume-starting', 'act resume-task']);
    expect(runs().map(provider)).toEqual(['FARGATE_SPOT', 'FARGATE']);
  });

  it.each(['failure', 'accepted'] as const)(
    '(%s) of all capacity is tried less and less often, and told after an hour',
    async (how) => {
      aws.ecs.setShortage('FARGATE_SPOT', how);
      aws.ecs.setShortage('FARGATE', how);
      const { pass, world, task } = await interrupted();

      const outcomes = await pass(90 * MINUTE);

      const times = aws.calls.filter(({ operation }) => operation === 'RunTask').map(({ at }) => at);
      const waits = times.slice(2).map((time, i) => time - (times[i + 1] ?? 0));
      expect(words(outcomes).at(-1)).toBe('escalate no-capacity');
      expect(waits.length).toBeGreaterThan(4);
      expect(waits).toEqual(waits.toSorted((a, b) => a - b));
      expect(new Set(runs().map(({ clientToken }) => clientToken)).size).toBe(runs().length);
      expect(new Set(runs().slice(1).map(provider))).toEqual(new Set(['FARGATE']));
      expect(storedState(world, task.arn)).not.toHaveProperty('hold');
    },
  );

  it('is not what another refusal is: that goes to a person at once', async () => {
    const task = worker(aws);
    const { batch } = resumer(aws);
    await batch(task.warn());
    aws.fault('RunTask', new AwsError('ClientException', 'TaskDefinition is inactive'));

    const result = await batch(task.stop());

    expect(said(result)).toEqual(['escalate act-failed']);
    expect(runs()).toHaveLength(1);
  });
});

describe('one task, whatever happens', () => {
  it('an answer that is lost is asked for again with the same token', async () => {
    const task = worker(aws);
    const { batch } = resumer(aws);
    await batch(task.warn());
    aws.fault('RunTask', 'lost', 2);

    const result = await batch(task.stop());

    expect(said(result)).toEqual(['act resume-task']);
    expect(new Set(runs().map((input) => JSON.stringify(input))).size).toBe(1);
    expect(aws.ecs.tasksRun()).toHaveLength(1);
  });

  it('an answer that never comes leaves it to the check, which finds the task', async () => {
    const task = worker(aws);
    const { batch, pass } = resumer(aws);
    await batch(task.warn());
    aws.fault('RunTask', 'lost', 200);
    const result = await batch(task.stop());
    const made = runs().length;
    startAll();

    const later = await pass(MINUTE);

    expect([...said(result), ...words(later)]).toEqual(['defer act-unknown', 'skip resolved']);
    expect(runs()).toHaveLength(made);
    expect(new Set(runs().map(provider))).toEqual(new Set(['FARGATE_SPOT']));
    expect(aws.ecs.tasksRun()).toHaveLength(1);
  });

  it('a crash between RunTask and its record runs no second one', async () => {
    const task = worker(aws);
    const first = resumer(aws);
    await first.batch(task.warn());
    const dying = resumer(aws, { world: first.world, trouble: (port) => (port === 'table.put' ? 'crash' : 'none') });
    await Promise.race([dying.batch(task.stop()), dying.runtime.crashed]);
    const ranThen = aws.ecs.tasksRun().length;
    startAll();
    aws.clock.advance(5 * MINUTE);

    await first.batch(task.stop());
    const later = await first.pass(10 * MINUTE);
    const swept = await first.batch({ source: 'reflex', 'detail-type': 'Tick', detail: { scope: 'incidents' } });

    expect(ranThen).toBe(1);
    expect([...words(later), ...said(swept)]).toEqual(['skip resolved']);
    expect(aws.ecs.tasksRun()).toHaveLength(1);
  });

  it('a check that comes with an event told before finds the task, and asks for none again', async () => {
    const { batch, world, task } = await interrupted();
    aws.clock.advance(MINUTE);
    const due = world.inbox.splice(0).map(({ body }) => JSON.parse(body));

    const together = await batch(task.event({ lastStatus: 'STOPPED', version: 9 }), ...due);

    expect(said(together)).toEqual(['defer resume-starting']);
    expect(runs()).toHaveLength(1);
  });

  it('ConflictException says that it was resumed already', async () => {
    const task = worker(aws);
    const { batch } = resumer(aws);
    await batch(task.warn());
    aws.fault('RunTask', new AwsError('ConflictException', 'other parameters'));

    const result = await batch(task.stop());

    expect(said(result)).toEqual(['act resume-task']);
    expect(runs()).toHaveLength(1);
  });

  it('a throttle, which is HTTP 400, is waited out', async () => {
    const task = worker(aws);
    const { batch } = resumer(aws);
    await batch(task.warn());
    aws.fault('RunTask', new AwsError('ThrottlingException', 'Rate exceeded'), 3);

    const result = await batch(task.stop());

    expect(said(result)).toEqual(['act resume-task']);
    expect(runs()).toHaveLength(4);
  });

  it("a throttle of EC2's, which ECS calls a wrong parameter, is waited out, too", async () => {
    const task = worker(aws);
    const { batch, pass } = resumer(aws);
    await batch(task.warn());
    const message =
      'Error retrieving security group information for [sg-0123456789abcdef0]: Request limit exceeded. (ErrorCode: RequestLimitExceeded)';
    aws.fault('RunTask', new AwsError('InvalidParameterException', message));

    const result = await batch(task.stop());
    const later = await pass(10 * SECOND);

    expect([...said(result), ...words(later)]).toEqual(['defer rate-limited', 'act resume-task']);
  });

  it('a denied call goes to a person, who is told that the task has to be run by hand', async () => {
    const task = worker(aws);
    const { batch } = resumer(aws);
    await batch(task.warn());
    aws.fault('RunTask', new AwsError('AccessDeniedException', 'not authorized to perform: iam:PassRole'));

    const { outcomes } = await batch(task.stop());

    expect(words(outcomes)).toEqual(['escalate access-denied']);
    expect(outcomes[0]?.advice).toMatch(/ResumeRoleArns.*by hand/);
  });

  it('a task that did not start for another reason goes to a person, with the reason', async () => {
    const { pass } = await interrupted();
    for (const { taskArn } of aws.ecs.tasksRun()) {
      aws.ecs.changeTask(String(taskArn), {
        lastStatus: 'STOPPED',
        desiredStatus: 'STOPPED',
        stopCode: 'TaskFailedToStart',
        stoppedReason: 'CannotPullContainerError: not found.',
      });
    }

    const later = await pass(2 * MINUTE);

    expect(words(later)).toEqual(['escalate resume-failed']);
    expect(later[0]?.why).toMatch(/did not start: CannotPullContainerError: not found\.$/);
    expect(runs()).toHaveLength(1);
  });

  it('a slow start is awaited', async () => {
    const { pass } = await interrupted();

    const waiting = await pass(2 * MINUTE + SECOND);
    startAll();
    const end = await pass(2 * MINUTE);

    expect([...words(waiting), ...words(end)]).toEqual([
      'defer resume-starting',
      'defer resume-starting',
      'skip resolved',
    ]);
  });
});

describe('a notice that was missed', () => {
  const missed = async (options: WorkerOptions = {}, env: NodeJS.ProcessEnv = {}) => {
    const task = worker(aws, { tags: {}, definitionTags: resumable, ...options });
    return resumer(aws, { env }).batch(task.stop());
  };

  it('leaves the security groups unknown, which a person is told', async () => {
    expect(said(await missed())).toEqual(['escalate network-unknown']);
    expect(runs()).toEqual([]);
  });

  it('is told again for a task that is lost hours later, and once for many at a time', async () => {
    const { batch, world } = resumer(aws);
    const lose = (n: number) => worker(aws, { n, tags: {}, definitionTags: resumable }).stop();

    await batch(lose(1), lose(2), lose(3));
    aws.clock.advance(2 * 60 * MINUTE);
    await batch(lose(4));

    expect(world.told.map(({ record }) => record.reason)).toEqual(['network-unknown', 'network-unknown']);
    expect(world.told[1]?.record.resource).toContain('00000004');
  });

  it('is made good by what is configured, in the subnet it ran in', async () => {
    const result = await missed({
      definitionTags: {
        ...resumable,
        'reflex:resume-security-groups': 'sg-00000001 sg-00000002',
        'reflex:resume-subnets': 'subnet-00000001',
        'reflex:resume-assign-public-ip': 'ENABLED',
      },
    });

    expect(said(result)).toEqual(['act resume-task']);
    expect(runs()[0]?.networkConfiguration?.awsvpcConfiguration).toEqual({
      subnets: ['subnet-02aa0123456789abc', 'subnet-00000001'],
      securityGroups: ['sg-00000001', 'sg-00000002'],
      assignPublicIp: 'ENABLED',
    });
  });

  it('is replayed for nothing when ECS has forgotten the task: it fails no more, and nobody hears of it', async () => {
    const task = worker(aws);
    const event = task.stop();
    aws.ecs.removeTask(task.arn);
    const { batch, world } = resumer(aws);

    const soon = await batch(event);
    aws.clock.advance(61 * MINUTE);
    const replayed = await batch(event);

    expect(said(soon)).toEqual(['defer observe-failed']);
    expect(soon.batchItemFailures).toHaveLength(1);
    expect(said(replayed)).toEqual(['skip task-forgotten']);
    expect(replayed.batchItemFailures).toEqual([]);
    expect(world.told).toEqual([]);
  });

  it('is not replayed over what was begun: where ECS has forgotten the task meanwhile, a person is told', async () => {
    const { batch, task, world } = await interrupted({}, { calendar: async () => ({ open: false, until: null }) });
    aws.clock.advance(61 * MINUTE);
    aws.ecs.removeTask(task.arn);

    const replayed = await batch(task.event({ lastStatus: 'STOPPING', version: 7 }));

    expect(said(replayed)).toEqual(['escalate task-forgotten']);
    expect(world.told.map(({ record }) => record.reason)).toContain('task-forgotten');
  });

  it('is too late an hour after the task has stopped', async () => {
    const task = worker(aws, { tags: {}, definitionTags: resumable });
    const event = task.stop();
    aws.clock.advance(61 * MINUTE);

    const result = await resumer(aws, { env: { RESUME_SECURITY_GROUPS: 'sg-00000001' } }).batch(event);

    expect(said(result)).toEqual(['escalate resume-too-late']);
  });
});

describe('a closed change calendar', () => {
  const frozen = async (opensAfter: number) => {
    const opensAt = aws.clock() + opensAfter;
    const calendar = async () => ({ open: aws.clock() >= opensAt, until: opensAt });
    const { pass, result, warned, world } = await interrupted({}, { calendar });
    const later = await pass(3 * 60 * MINUTE);
    return { story: [...said(warned), ...said(result), ...words(later)], told: world.told };
  };

  it('is waited for, with what the notice saved', async () => {
    const { story } = await frozen(30 * MINUTE);

    expect([...new Set(story)].slice(0, 3)).toEqual(['defer task-stopping', 'defer frozen', 'act resume-task']);
  });

  it('that opens too late takes the task to a person', async () => {
    const { story, told } = await frozen(24 * 60 * MINUTE);

    expect([...new Set(story)]).toEqual(['defer task-stopping', 'defer frozen', 'escalate resume-too-late']);
    expect(told.map(({ record }) => record.reason)).toEqual(['frozen', 'resume-too-late']);
    expect(runs()).toEqual([]);
  });
});

describe('what is not run', () => {
  it.each([
    ['belongs to a service, though its event did not say so', { group: 'service:web' }, 'skip task-of-a-service'],
    [
      'was started by a service, though it names no group',
      { startedBy: 'ecs-svc/0548903365926546085' },
      'skip task-of-a-service',
    ],
    [
      'AWS Batch runs, and runs again by itself',
      { tags: [...tagList(resumable), { key: 'aws:batch:job-queue', value: 'nightly' }] },
      'escalate run-by-batch',
    ],
  ])('a task that %s', async (_, task, expected) => {
    const { result, warned } = await interrupted({ definitionTags: resumable, task });

    expect(said(warned)).toEqual([expected]);
    expect(said(result)).not.toContain('act resume-task');
    expect(runs()).toEqual([]);
  });

  it('a task of another account, whose cluster has the same name', async () => {
    const task = worker(aws);
    task.warn();
    const event = JSON.parse(JSON.stringify(task.stop()).replaceAll('111122223333', '999988887777'));

    const result = await resumer(aws, { env: { RESUME_SECURITY_GROUPS: 'sg-00000001' } }).batch(event);

    expect(said(result)).toEqual(['skip cluster-gone']);
    expect(result.batchItemFailures).toEqual([]);
    expect(runs()).toEqual([]);
  });

  it('a task whose cluster was deleted: its incident ends, and no message comes again and again', async () => {
    const { pass, world, task } = await interrupted();
    aws.fault('DescribeTasks', new AwsError('ClusterNotFoundException', 'Cluster not found.'), 1_000);

    const outcomes = await pass(30 * MINUTE);

    expect(new Set(words(outcomes))).toEqual(new Set(['skip cluster-gone']));
    expect(storedState(world, task.arn)).not.toHaveProperty('incident');
    expect(world.deadLetters).toEqual([]);
  });

  it('overrides that are too long with the variables a worker needs', async () => {
    const overrides = { containerOverrides: [{ name: 'app', command: ['x'.repeat(8_050)] }] };
    const { result } = await interrupted({ overrides });

    expect(said(result)).toEqual(['escalate overrides-too-large']);
    expect(runs()).toEqual([]);
  });

  it('but those that fit without the ones it can do without are', async () => {
    const overrides = { containerOverrides: [{ name: 'app', command: ['x'.repeat(7_950)] }] };
    const { result, task } = await interrupted({ overrides });

    expect(said(result)).toEqual(['act resume-task']);
    expect(environmentOf(runs()[0])).toEqual([
      variable('REFLEX_RESUME_ATTEMPT', '1'),
      variable('REFLEX_RESUME_ROOT', task.id),
    ]);
  });

  it('a task with an EBS volume, whose configuration nobody tells', async () => {
    const attachments = [{ type: 'AmazonElasticBlockStorage', status: 'ATTACHED', details: [] }];
    const { result } = await interrupted({ task: { attachments } });

    expect(said(result)).toEqual(['escalate volume-unknown']);
  });
});

describe('what is kept as it was', () => {
  it('own tags without those of AWS, a group of its own, ECS Exec, and the management of tags', async () => {
    await interrupted({
      tags: { ...resumable, team: 'data', 'aws:ecs:clusterName': 'prod' },
      task: { group: 'nightlies', enableExecuteCommand: true },
    });

    expect(runs()[0]).toMatchObject({ group: 'nightlies', enableExecuteCommand: true, enableECSManagedTags: true });
    expect(runs()[0]?.tags).toContainEqual({ key: 'team', value: 'data' });
    expect(JSON.stringify(runs()[0]?.tags)).not.toContain('aws:');
  });

  it('an override for a container that AWS added is left out: RunTask takes it for none of the definition', async () => {
    const overrides = {
      containerOverrides: [
        { name: 'aws-guardduty-agent-x1' },
        { name: 'app', command: ['run'] },
        { name: 'ecs-service-connect-y2', environment: [variable('A', '1')] },
      ],
    };
    const { result } = await interrupted({ overrides });

    expect(said(result)).toEqual(['act resume-task']);
    expect(runs()[0]?.overrides?.containerOverrides?.map(({ name, command }) => [name, command])).toEqual([
      ['app', ['run']],
    ]);
  });

  it('as many tags as a task takes: with 50 of its own and the opt-in on its definition, one of its own goes', async () => {
    const own = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`team-${i}`, 'data']));
    const { result } = await interrupted({ tags: own, definitionTags: resumable });

    expect(said(result)).toEqual(['act resume-task']);
    expect(runs()[0]?.tags).toHaveLength(50);
    expect(runs()[0]?.tags).toContainEqual({ key: 'reflex:enabled', value: 'true' });
  });

  it('every container of the definition gets the variables; those that AWS adds are left alone', async () => {
    const task = worker(aws, { containers: [{ name: 'app' }, { name: 'log-router' }] });
    const { batch } = resumer(aws);
    await batch(task.warn());
    const event = task.stop();
    aws.ecs.changeTask(task.arn, {
      containers: ['app', 'log-router', 'aws-guardduty-agent-x1'].map((name) => ({ name, exitCode: 143 })),
    });

    await batch(event);

    const names = runs()[0]?.overrides?.containerOverrides?.map(({ name }) => name);
    expect(names).toEqual(['app', 'log-router']);
    expect(environmentOf(runs()[0], 1)).toHaveLength(4);
  });
});

describe('many at once', () => {
  it('300 tasks are read in three calls, their one definition in one, their interfaces in two', async () => {
    const tasks = Array.from({ length: 300 }, (_, i) => worker(aws, { n: i + 1 }));
    await resumer(aws).batch(...tasks.map((task) => task.warn()));

    const read = aws.calls.map(({ operation }) => operation);
    expect(Object.fromEntries([...Map.groupBy(read, (name) => name)].map(([name, all]) => [name, all.length]))).toEqual(
      {
        DescribeTasks: 3,
        DescribeTaskDefinition: 1,
        DescribeNetworkInterfaces: 2,
      },
    );
  });

  it('60 resumes keep within the 20 calls a second of RunTask, so that no throttle comes, and one message is sent', async () => {
    const tasks = Array.from({ length: 60 }, (_, i) => worker(aws, { n: i + 1 }));
    const time = sleepers();
    const { batch, world } = resumer(aws, { sleep: time.sleep });
    await batch(...tasks.map((task) => task.warn()));
    aws.clock.advance(MINUTE);
    const begin = aws.clock();

    const result = await time.during(batch(...tasks.map((task) => task.stop())));

    expect(new Set(said(result))).toEqual(new Set(['act resume-task']));
    expect(runs()).toHaveLength(60);
    expect(aws.clock() - begin).toBeGreaterThanOrEqual(1_900);
    expect(world.told).toHaveLength(1);
  });

  it('the tasks that go on for 30 others are found by one call each, and read in one', async () => {
    const tasks = Array.from({ length: 30 }, (_, i) => worker(aws, { n: i + 1 }));
    const { batch, world } = resumer(aws);
    await batch(...tasks.map((task) => task.warn()));
    await batch(...tasks.map((task) => task.stop()));
    startAll();
    aws.clock.advance(2 * MINUTE);
    const before = aws.called('DescribeTasks').length;

    const checked = await batch(...world.inbox.map(({ body }) => body));

    expect(words(checked.outcomes).filter((one) => one === 'skip resolved')).toHaveLength(30);
    expect(aws.called('DescribeTasks').length - before).toBe(2);
    expect(aws.called('ListTasks')).toHaveLength(30);
  });

  it('one that is refused stops no other', async () => {
    const tasks = [1, 2, 3].map((n) => worker(aws, { n }));
    const { batch } = resumer(aws);
    await batch(...tasks.map((task) => task.warn()));
    aws.fault('RunTask', new AwsError('InvalidParameterException', 'no'), 1);

    const result = await batch(...tasks.map((task) => task.stop()));

    expect(said(result).toSorted()).toEqual(['act resume-task', 'act resume-task', 'escalate act-failed']);
  });

  it('reads before acting take one round trip, and two where there is an interface to read', async () => {
    const task = worker(aws);
    const { batch } = resumer(aws);

    const warned = await aws.waves(() => batch(task.warn()));
    const event = task.stop();
    const stopped = await aws.waves(() => batch(event));

    expect(warned).toEqual([['ecs:DescribeTaskDefinition', 'ecs:DescribeTasks'], ['ec2:DescribeNetworkInterfaces']]);
    expect(stopped).toEqual([['ecs:DescribeTaskDefinition', 'ecs:DescribeTasks'], ['ecs:RunTask']]);
  });
});
