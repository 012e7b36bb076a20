/** The ledger's resource: a replication group, a standalone cluster, or a serverless cache. */
export type CacheKind = 'replicationgroup' | 'cluster' | 'serverlesscache';

/** ARN of a cache in the account and Region of an alarm. */
export const cacheArn = (
  { alarmArn, region, account }: { readonly alarmArn: string; readonly region: string; readonly account: string },
  kind: CacheKind,
  id: string,
): string => `arn:${alarmArn.split(':')[1]}:elasticache:${region}:${account}:${kind}:${id}`;

/** Kind and id of the cache an ARN names; the kind is whatever the ARN says. */
export const parseCacheArn = (arn: string): { readonly kind: string; readonly id: string } => {
  const [, , , , , kind = '', id = ''] = arn.split(':');
  return { kind, id };
};
