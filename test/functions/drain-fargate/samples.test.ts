import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { drainer } from '../../support/drain-fargate.ts';
import { at } from '../../support/event-builders.ts';
import { useFakeAws } from '../../support/fake-aws/use-fake-aws.ts';
import { spotService } from '../../support/fargate-world.ts';

const aws = await useFakeAws();
const time = { clock: () => aws.clock(), sleep: async (ms: number) => aws.clock.advance(ms) };

const sample = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../../events/${name}.json`, import.meta.url), 'utf8'));
const task = '7a75e7b735c14174aefbca3d0c1dd2c9';

/** Service `web` as the samples know it: the task of the notice, and three that serve on. */
const web = () => {
  const { group } = spotService(aws, { tasks: 4 });
  group.targets[0] = { id: '10.0.2.164', port: 8080, state: 'healthy' };
  const { detail } = sample('aws.ecs.task-state-change.spot-interruption');
  aws.ecs.addTask({ ...detail, lastStatus: 'RUNNING', desiredStatus: 'RUNNING', version: 4 });
  aws.ecs.addDefinition(detail.taskDefinitionArn, [{ name: 'app' }]);
  return group;
};

it.each([
  ['spot-interruption', 'act spot-interruption'],
  ['spot-interruption-running', 'act spot-interruption'],
  ['spot-interruption-elb-first', 'act spot-interruption'],
  ['spot-interruption-two-elb', 'act spot-interruption'],
  ['spot-interruption-network-interface', 'act spot-interruption'],
  ['spot-interruption-termination-notice', 'act spot-interruption'],
  ['spot-interruption-no-stop-code', 'act spot-interruption'],
  ['spot-interruption-no-attachments', 'act spot-interruption'],
  ['spot-interruption-dual-stack', 'act spot-interruption'],
  ['spot-interruption-short-arn', 'act spot-interruption'],
  ['spot-interruption-service-connect', 'act spot-interruption'],
  ['spot-interruption-stopping', 'skip deregistered-by-ecs'],
  ['spot-interruption-deprovisioning', 'skip task-gone'],
  ['spot-interruption-stopped', 'skip task-gone'],
  ['spot-interruption-standalone', 'standalone-task'],
  ['deployment', 'not-a-spot-interruption'],
])('the sample %s ends as %s', async (name, expected) => {
  const group = web();

  const { outcomes, notForUs } = await drainer(time).handle(sample(`aws.ecs.task-state-change.${name}`));

  expect([...outcomes.map(({ decision, reason }) => `${decision} ${reason}`), ...Object.keys(notForUs)]).toEqual([
    expected,
  ]);
  expect(aws.elbv2.targetsIn(group.arn, 'draining')).toEqual(expected.startsWith('act') ? ['10.0.2.164:8080'] : []);
});

it('the sample of the notice tells the whole story', async () => {
  web();
  aws.clock.advance(800);

  const { outcomes } = await drainer(time).handle(sample('aws.ecs.task-state-change.spot-interruption'));

  expect(outcomes).toEqual([
    {
      resource: `arn:aws:ecs:eu-west-1:111122223333:task/prod/${task}`,
      decision: 'act',
      reason: 'spot-interruption',
      why:
        'Spot interruption 0.8 s ago, task DEACTIVATING: deregistering 10.0.2.164:8080 in web. ' +
        'Findings: stopTimeout is 30 s, so SIGKILL cuts off requests soon after SIGTERM (set it to 120).',
      actions: [
        {
          call: 'DeregisterTargets',
          params: {
            TargetGroupArn: 'arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/web/0123456789abcdef',
            Targets: [{ Id: '10.0.2.164', Port: 8080 }],
          },
        },
      ],
      dryRun: false,
      incidentId: expect.stringMatching(/^rfx-/),
    },
  ]);
  expect(Date.parse(sample('aws.ecs.task-state-change.spot-interruption').detail.stoppingAt)).toBe(at);
});

it('the sample of an inbox with the five events, newest first, deregisters nothing', async () => {
  web();

  const { outcomes } = await drainer(time).handle(sample('aws.sqs.batch.fargate-spot'));

  expect(outcomes).toMatchObject([{ decision: 'skip', reason: 'task-gone' }]);
  expect(aws.called('DeregisterTargets')).toEqual([]);
});
