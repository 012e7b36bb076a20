import { describe, expect, it } from 'vitest';
import { relieveElastiCache } from '../../../functions/relieve-elasticache/function.ts';
import { useFakeAws } from '../../support/fake-aws/use-fake-aws.ts';

const fake = await useFakeAws();
const sweep = () => relieveElastiCache({}, fake.clock).sweep();

describe('the schedule', () => {
  it('looks at groups, serverless caches and standalone clusters that opted in, each once', async () => {
    const { arn: orders } = fake.elasticache.createGroup('orders', { shards: 2, replicas: 1 });
    const { arn: sessions } = fake.elasticache.createServerless('sessions');
    const { arn: alone } = fake.elasticache.createCluster('alone');
    fake.elasticache.createCluster('quiet', { tags: {} });
    fake.elasticache.createGroup('others', { tags: { 'reflex:enabled': 'false' } });

    expect((await sweep()).toSorted()).toEqual([alone, orders, sessions]);
  });

  it('leaves out Memcached, which has nothing to be looked at', async () => {
    fake.elasticache.createCluster('sessions', { engine: 'memcached' });
    expect(await sweep()).toEqual([]);
  });

  it('reads all pages of standalone clusters', async () => {
    for (let i = 0; i < 130; i++) fake.elasticache.createCluster(`alone-${i}`);

    expect(await sweep()).toHaveLength(130);
    expect(fake.called('DescribeCacheClusters')).toHaveLength(2);
  });

  it('asks for no clusters where none opted in', async () => {
    fake.elasticache.createServerless('sessions');

    await sweep();

    expect(fake.called('DescribeCacheClusters')).toEqual([]);
  });
});
