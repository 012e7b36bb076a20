import { describe, expect, it } from 'vitest';
import { resourcesTagged } from '../../../shared/aws/tagging.ts';
import { useFakeAws } from '../../support/fake-aws/use-fake-aws.ts';

const fake = await useFakeAws();

describe('resourcesTagged', () => {
  it('gives resources with the tag and value, with all their tags', async () => {
    const { arn } = fake.kinesis.createStream('orders', 1, { tags: { 'reflex:enabled': 'true', team: 'sales' } });
    fake.kinesis.createStream('payments', 1, { tags: { 'reflex:enabled': 'false' } });
    fake.kinesis.createStream('audit', 1, { tags: {} });

    const found = await resourcesTagged('kinesis:stream', 'reflex:enabled', 'true');

    expect(found).toEqual([{ arn, tags: { 'reflex:enabled': 'true', team: 'sales' } }]);
  });

  it('reads 250 resources in three pages and stops at the empty token', async () => {
    for (let i = 0; i < 250; i++) fake.kinesis.createStream(`stream-${i}`);

    const found = await resourcesTagged('kinesis:stream', 'reflex:enabled', 'true');

    expect(new Set(found.map(({ arn }) => arn)).size).toBe(250);
    expect(fake.called('GetResources')).toHaveLength(3);
  });

  it('gives nothing where nothing is tagged', async () => {
    expect(await resourcesTagged('kinesis:stream', 'reflex:enabled', 'true')).toEqual([]);
  });
});
