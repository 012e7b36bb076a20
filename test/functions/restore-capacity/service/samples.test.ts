import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { useFakeAws } from '../../../support/fake-aws/use-fake-aws.ts';
import { restorer, spotPair } from '../../../support/restore-capacity.ts';

const aws = await useFakeAws();

const sample = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../../../events/aws.ecs.service-action.${name}.json`, import.meta.url), 'utf8'));

it.each([
  ['placement-failure', 'act spot-fallback'],
  ['placement-failure-short-arn', 'act spot-fallback'],
  ['placement-failure-on-demand', 'not-on-fargate-spot'],
  ['placement-failure-launch-type', 'not-on-fargate-spot'],
  ['placement-failure-ec2', 'not-for-want-of-fargate'],
  ['placement-failure-other-cluster', 'skip service-gone'],
  ['steady-state', 'steady-state'],
  ['capacity-provider-steady-state', 'steady-state'],
])('the sample %s ends as %s', async (name, expected) => {
  spotPair(aws, { running: 4 });

  const { outcomes, notForUs } = await restorer(aws).handle(sample(name));

  expect([...outcomes.map(({ decision, reason }) => `${decision} ${reason}`), ...Object.keys(notForUs)]).toEqual([
    expected,
  ]);
  expect(aws.ecs.getService('web-od')).toMatchObject({ desiredCount: expected.startsWith('act') ? 6 : 0 });
});

it('the sample without a service fails by itself', async () => {
  const { failures } = await restorer(aws).handle(sample('broken'));
  expect(failures).toEqual([{ message: expect.any(String), error: expect.stringContaining('resources') }]);
});

it('the sample of a shortage that is over by the time it is read changes nothing', async () => {
  spotPair(aws);
  const { outcomes } = await restorer(aws).handle(sample('placement-failure'));
  expect(outcomes).toMatchObject([{ decision: 'skip', reason: 'spot-enough' }]);
  expect(aws.called('UpdateService')).toEqual([]);
});

it('the sample tells the whole story', async () => {
  spotPair(aws, { running: 4 });

  const { outcomes } = await restorer(aws).handle(sample('placement-failure'));

  expect(outcomes).toEqual([
    {
      resource: 'arn:aws:ecs:eu-west-1:111122223333:service/prod/web',
      decision: 'act',
      reason: 'spot-fallback',
      why: 'No Spot capacity: 4 of 10 tasks run. web-od goes from 0 to 6 on-demand tasks.',
      actions: [
        {
          call: 'UpdateService',
          params: {
            cluster: 'arn:aws:ecs:eu-west-1:111122223333:cluster/prod',
            service: 'web-od',
            desiredCount: 6,
          },
        },
      ],
      dryRun: false,
      incidentId: expect.stringMatching(/^rfx-/),
    },
  ]);
});
