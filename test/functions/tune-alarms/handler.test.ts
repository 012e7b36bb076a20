import { GetResourcesCommand, ResourceGroupsTaggingAPIClient } from '@aws-sdk/client-resource-groups-tagging-api';
import { mockClient } from 'aws-sdk-client-mock';
import { expect, it, vi } from 'vitest';
import { tuneAlarms } from '../../../functions/tune-alarms/function.ts';
import { streamArn, tagChange } from '../../support/event-builders.ts';
import { useFakeAwsWithDynamodb } from '../../support/fake-aws/use-fake-aws.ts';

const fake = await useFakeAwsWithDynamodb();

it('the module exports a handler that works with what the template sets', async () => {
  vi.resetModules();
  const stack = {
    MODE: 'dry-run',
    LEDGER_TABLE: 'ledger-of-tune-alarms',
    INBOX_URL: 'http://127.0.0.1:1/111122223333/inbox',
    NOTIFICATIONS_TOPIC_ARN: 'arn:aws:sns:eu-west-1:111122223333:reflex',
    POWERTOOLS_LOG_LEVEL: 'SILENT',
    ALARM_PREFIX: 'team-a-tuned-',
  };
  for (const [name, value] of Object.entries(stack)) vi.stubEnv(name, value);
  await fake.dynalite.createTable(stack.LEDGER_TABLE);
  fake.kinesis.createStream('orders');

  const { handler } = await import('../../../functions/tune-alarms/handler.ts');
  const { outcomes } = await handler(tagChange(streamArn(), ['reflex:enabled']));

  expect(outcomes).toMatchObject([{ resource: streamArn(), decision: 'act', reason: 'make-alarms', dryRun: true }]);
  expect(outcomes[0]?.actions[0]?.params).toMatchObject({ AlarmName: 'team-a-tuned-kinesis-orders-utilization' });
});

it('the schedule looks at streams, groups and what alarms are left of, not at the consumers of a stream, which a stack gives the same tags', async () => {
  const [orders, gone] = [streamArn(), streamArn('gone')];
  const tags = { 'reflex:enabled': 'true' };
  const tagging = mockClient(ResourceGroupsTaggingAPIClient);
  const answer = (arns: readonly string[], more: Record<string, string> = {}) => ({
    ResourceTagMappingList: arns.map((ResourceARN) => ({
      ResourceARN,
      Tags: Object.entries({ ...tags, ...more }).map(([Key, Value]) => ({ Key, Value })),
    })),
  });
  tagging
    .on(GetResourcesCommand)
    .resolves({})
    .on(GetResourcesCommand, { ResourceTypeFilters: ['kinesis:stream'] })
    .resolves(answer([orders, `${orders}/consumer/billing:1700000000`]))
    .on(GetResourcesCommand, { ResourceTypeFilters: ['cloudwatch:alarm'] })
    .resolves(answer(['arn:aws:cloudwatch:eu-west-1:111122223333:alarm:a'], { 'reflex:alarm-of': gone }));

  const swept = await tuneAlarms({}, { clock: () => 0, sleep: async () => {} }).sweep();
  tagging.restore();

  expect(swept).toEqual([orders, gone]);
});
