import { describe, expect, it } from 'vitest';
import type { Outcome } from '../../../shared/decision.ts';
import { at } from '../../support/event-builders.ts';
import { useFakeAws } from '../../support/fake-aws/use-fake-aws.ts';
import { storedRecords, storedState } from '../../support/fake-runtime.ts';
import { definitionArn, resumer, worker } from '../../support/resume-fargate.ts';

const aws = await useFakeAws();
const SECOND = 1_000;
const MINUTE = 60 * SECOND;

const said = ({ outcomes }: { readonly outcomes: readonly Outcome[] }) =>
  outcomes.map(({ decision, reason }) => `${decision} ${reason}`);
const run = () => aws.called('RunTask');

describe('an interruption', () => {
  it('is resumed with what the task had: revision, network, overrides byte for byte, and the resume variables', async () => {
    const task = worker(aws, { publicIp: '198.51.100.7' });
    const { batch } = resumer(aws);

    const warned = await batch(task.warn());
    aws.clock.advance(50 * SECOND);
    const stopped = await batch(task.stop());

    expect(said(warned)).toEqual(['defer task-stopping']);
    expect(said(stopped)).toEqual(['act resume-task']);
    expect(run()).toEqual([
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
        clientToken: expect.stringMatching(/^[0-9a-f]{64}$/),
      },
    ]);
  });
});
