import { AwsError, type Service } from './service.ts';

export interface FakeInvocation {
  readonly InstanceId: string;
  readonly CommandId: string;
  readonly DocumentName: string;
  Status: string;
  /** Epoch ms. */
  readonly at: number;
  readonly Parameters: Readonly<Record<string, readonly string[]>>;
}

interface SendInput {
  readonly DocumentName: string;
  readonly InstanceIds: readonly string[];
  readonly Parameters: Readonly<Record<string, readonly string[]>>;
  readonly MaxErrors?: string;
  readonly TimeoutSeconds: number;
}

/** Run Command: 50 instances a command, all of them registered or none runs it; every command runs, however often it is sent. */
export const fakeRunCommand = (clock: () => number) => {
  const registered = new Set<string>();
  const invocations: FakeInvocation[] = [];
  let commands = 0;
  const service: Service = {
    name: 'ssm',
    operations: {
      SendCommand: ({ DocumentName, InstanceIds, Parameters, TimeoutSeconds }: SendInput) => {
        if (InstanceIds.length > 50) throw new AwsError('ValidationException', 'instanceIds: at most 50');
        if (TimeoutSeconds < 30) throw new AwsError('ValidationException', 'timeoutSeconds: at least 30');
        if (InstanceIds.some((id) => !registered.has(id))) {
          throw new AwsError('InvalidInstanceId', 'Instances not in a valid state for account');
        }
        const CommandId = `00000000-0000-4000-8000-${String(++commands).padStart(12, '0')}`;
        for (const InstanceId of InstanceIds) {
          invocations.push({ InstanceId, CommandId, DocumentName, Status: 'InProgress', at: clock(), Parameters });
        }
        return { Command: { CommandId } };
      },
      DescribeInstanceInformation: ({ Filters }: { Filters: { Key: string; Values: string[] }[] }) => ({
        InstanceInformationList: (Filters[0]?.Values ?? [])
          .filter((id) => registered.has(id))
          .map((InstanceId) => ({ InstanceId, PingStatus: 'Online' })),
      }),
      ListCommandInvocations: (input: {
        Filters: { key: string; value: string }[];
        MaxResults: number;
        NextToken?: string;
      }) => {
        const wanted = Object.fromEntries(input.Filters.map(({ key, value }) => [key, value]));
        const all = invocations
          .filter(
            ({ DocumentName, at }) =>
              DocumentName === wanted.DocumentName && at >= Date.parse(wanted.InvokedAfter ?? ''),
          )
          .sort((a, b) => b.at - a.at);
        const from = Number(input.NextToken ?? 0);
        const end = from + input.MaxResults;
        return {
          CommandInvocations: all
            .slice(from, end)
            .map(({ at, Parameters: _, ...shown }) => ({ ...shown, RequestedDateTime: at / 1_000 })),
          ...(end < all.length && { NextToken: String(end) }),
        };
      },
    },
  };
  return { service, registered, invocations };
};
