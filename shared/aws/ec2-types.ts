import { type _InstanceType, DescribeInstanceTypesCommand, EC2Client } from '@aws-sdk/client-ec2';
import { client, isErrorNamed } from './client.ts';

/**
 * Default vCPUs of EC2 instance types; one that the Region does not know is absent.
 * @iam ec2:DescribeInstanceTypes
 */
export const instanceVcpus = async (types: readonly string[]): Promise<ReadonlyMap<string, number>> => {
  const one = async (type: string): Promise<[string, number][]> => {
    try {
      const { InstanceTypes = [] } = await client(EC2Client).send(
        new DescribeInstanceTypesCommand({ InstanceTypes: [type as _InstanceType] }),
      );
      return InstanceTypes.flatMap(({ VCpuInfo }) =>
        VCpuInfo?.DefaultVCpus === undefined ? [] : [[type, VCpuInfo.DefaultVCpus]],
      );
    } catch (error) {
      // One unknown type would fail the others of the same call.
      if (isErrorNamed(error, 'InvalidInstanceType', 'InvalidParameterValue')) return [];
      throw error;
    }
  };
  return new Map((await Promise.all([...new Set(types)].map(one))).flat());
};
