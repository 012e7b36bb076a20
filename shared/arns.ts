/** How the Regions of a partition begin, where it is not `aws`. */
const PARTITIONS = [
  ['cn-', 'aws-cn'],
  ['us-gov-', 'aws-us-gov'],
  ['eusc-', 'aws-eusc'],
] as const;

/** Partition of a Region's ARNs. */
export const partitionOf = (region: string): string =>
  PARTITIONS.find(([prefix]) => region.startsWith(prefix))?.[1] ?? 'aws';

export interface Place {
  /** Twelve digits. */
  readonly account: string;
  readonly region: string;
}

export const instanceArn = ({ account, region }: Place, id: string): string =>
  `arn:${partitionOf(region)}:ec2:${region}:${account}:instance/${id}`;

export const volumeArn = ({ account, region }: Place, id: string): string =>
  `arn:${partitionOf(region)}:ec2:${region}:${account}:volume/${id}`;

/** What follows the last slash: the id in an EC2 ARN, also in the odd ones EBS notifications carry. */
export const idIn = (arn: string): string => arn.slice(arn.lastIndexOf('/') + 1);

export const placeOf = (arn: string): Place => {
  const [, , , region = '', account = ''] = arn.split(':');
  return { account, region };
};
