import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { useFakeAws } from '../../support/fake-aws/use-fake-aws.ts';
import { definitionArn, resumable, resumer } from '../../support/resume-fargate.ts';

const aws = await useFakeAws();
const sample = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../../events/aws.ecs.task-state-change.${name}.json`, import.meta.url), 'utf8'));

/** ECS as the sample knows it: the task, and its definition, which opts in and says what a missed notice leaves open. */
const prepared = (detail: Readonly<Record<string, unknown>>) => {
  aws.ecs.addTask(detail);
  aws.ecs.addDefinition(definitionArn, [{ name: 'app' }]);
  aws.ecs.tagDefinition(definitionArn, { ...resumable, 'reflex:resume-security-groups': 'sg-0123456789abcdef0' });
  aws.networkInterfaces.add({
    id: 'eni-08320123456789abc',
    subnet: 'subnet-02aa0123456789abc',
    groups: ['sg-0123456789abcdef0'],
  });
};

it.each([
  ['spot-interruption-standalone', 'defer task-stopping'],
  ['spot-interruption-standalone-stopped', 'act resume-task'],
  ['spot-interruption-standalone-again', 'act resume-task'],
  ['spot-interruption-standalone-guardduty', 'act resume-task'],
  ['spot-interruption', 'task-of-a-service'],
  ['spot-interruption-stopped', 'task-of-a-service'],
  ['deployment', 'not-a-spot-interruption'],
])('the sample %s ends as %s', async (name, expected) => {
  const event = sample(name);
  prepared(event.detail);

  const { outcomes, notForUs } = await resumer(aws).handle(event);

  expect([...outcomes.map(({ decision, reason }) => `${decision} ${reason}`), ...Object.keys(notForUs)]).toEqual([
    expected,
  ]);
});

it('the sample of a task that Reflex ran asks for the second attempt, on demand, of the same work', async () => {
  const event = sample('spot-interruption-standalone-again');
  prepared(event.detail);

  const { outcomes } = await resumer(aws).handle(event);

  expect(outcomes[0]?.why).toBe(
    'A Spot interruption ended the task (exit code 75); attempt 2 of 3 on demand, as from the second on, ' +
      'revision 3, in subnet-02aa0123456789abc with sg-0123456789abcdef0, public IP DISABLED.',
  );
  expect(aws.called('RunTask')[0]).toMatchObject({
    launchType: 'FARGATE',
    startedBy: 'reflex-resume/0f3c1d7a2b9e4c5f8a6d7e1b2c3d4e5f/2',
  });
});
