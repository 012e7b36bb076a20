import {
  DeregisterTargetsCommand,
  type DeregisterTargetsInput,
  DescribeTargetGroupAttributesCommand,
  DescribeTargetGroupsCommand,
  DescribeTargetHealthCommand,
  ElasticLoadBalancingV2Client,
  type TargetGroup,
  type TargetHealthDescription,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import { client } from './client.ts';

const elbv2 = () => client(ElasticLoadBalancingV2Client);
/** Whoever deregisters paces and repeats the calls itself: the SDK's own repetitions would come between. */
const elbv2Once = () => client(ElasticLoadBalancingV2Client, { maxAttempts: 1 });

/** DescribeTargetGroups answers for all ARNs or, where one does not exist, for none. So many a call. */
export const targetGroupsPerCall = 20;

/** AWS documents no limit for DeregisterTargets; its own load balancer controller for Kubernetes sends this many. */
export const targetsPerCall = 200;

/** Describe calls share a bucket: 40 calls, then 10 a second, per account and Region. Two instances of a function may ask at once. */
export const describesAtPace = { burst: 20, perSecond: 5 };

/**
 * Registrations and deregistrations share a bucket: 20 calls, then 4 a second, per account and Region; ECS has one of its own. Two
 * instances of a function may begin at once.
 */
export const registrationsAtPace = { burst: 10, perSecond: 4 };

/** @iam elasticloadbalancing:DescribeTargetGroups */
export const describeTargetGroups = async (arns: readonly string[]): Promise<TargetGroup[]> => {
  const answer = await elbv2().send(new DescribeTargetGroupsCommand({ TargetGroupArns: [...arns] }));
  return answer.TargetGroups ?? [];
};

/** @iam elasticloadbalancing:DescribeTargetGroupAttributes */
export const describeTargetGroupAttributes = async (arn: string): Promise<Record<string, string>> => {
  const answer = await elbv2().send(new DescribeTargetGroupAttributesCommand({ TargetGroupArn: arn }));
  return Object.fromEntries((answer.Attributes ?? []).map(({ Key = '', Value = '' }) => [Key, Value]));
};

/**
 * Every target of the group, draining ones included; one that is gone is not listed.
 * @iam elasticloadbalancing:DescribeTargetHealth
 */
export const describeTargetHealth = async (arn: string): Promise<TargetHealthDescription[]> => {
  const answer = await elbv2().send(new DescribeTargetHealthCommand({ TargetGroupArn: arn }));
  return answer.TargetHealthDescriptions ?? [];
};

/**
 * Without its Port a target stays where it is, and the call succeeds all the same. A target that is not registered is a success, too.
 * @iam elasticloadbalancing:DeregisterTargets
 */
export const deregisterTargets = async (input: DeregisterTargetsInput): Promise<void> => {
  await elbv2Once().send(new DeregisterTargetsCommand(input));
};
