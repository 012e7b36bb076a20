import { instanceEvent } from './ec2-fields.ts';
import type { Parsed } from './event.ts';
import { type Fields, read } from './fields.ts';

const recommendation = instanceEvent({});

/** EventBridge `EC2 Instance Rebalance Recommendation`: the instance is at elevated risk; nothing says when, or whether. */
export function parseRebalanceRecommendation(body: Fields): Parsed {
  const { account, region, time, detail } = read(recommendation, body);
  const { 'instance-id': instanceId } = detail;
  return { kind: 'event', event: { kind: 'rebalance-recommendation', account, region, instanceId, at: time } };
}
