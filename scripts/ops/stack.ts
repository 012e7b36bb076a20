import { setTimeout } from 'node:timers/promises';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { GetFunctionConfigurationCommand, InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { describeAutoScalingGroups } from '../../shared/aws/autoscaling.ts';
import { client, isErrorNamed } from '../../shared/aws/client.ts';
import { dynamoTable } from '../../shared/aws/dynamodb.ts';
import { describeVolumesBy } from '../../shared/aws/ec2.ts';
import { ledger as ledgerOn } from '../../shared/ledger/ledger.ts';
import type { Mode } from '../../shared/ledger/types.ts';
import type { Result } from '../../shared/remediation.ts';
import { RESCUE_TAGS } from '../../shared/spot-logs.ts';
import { type DeployedFunction, type Stack, Stop } from './command.ts';
import { deadLettersOf } from './dead-letters.ts';
import type { KeptVolume } from './volumes.ts';

export interface Place {
  /** The stack parameter ResourcePrefix: begins every function's name. */
  readonly prefix: string;
  /** Folder names of the functions a stack may have. */
  readonly functions: readonly string[];
}

/**
 * Finds the stack by its functions: what they are configured with is what is in force.
 * @throws Stop where no function of that prefix exists.
 */
export async function stackAt({ prefix, functions }: Place, clock: () => number): Promise<Stack> {
  const found = await Promise.all(functions.map((name) => configurationOf(`${prefix}-${name}`, name)));
  const deployed = found.filter((each) => each !== undefined);
  const [first] = deployed;
  if (first === undefined) {
    throw new Stop(
      `No Lambda function ${functions.map((name) => `${prefix}-${name}`).join(', ')} in this account and Region.`,
      'Check account and Region (AWS_PROFILE, AWS_REGION), deploy the stack, or give its ResourcePrefix with --prefix.',
    );
  }
  return {
    ledger: ledgerOf(first.table, clock),
    functions: deployed.map(({ table, ...fn }) => fn),
    deadLetters: () => deadLettersOf(first.inboxUrl),
    explain,
    keptVolumes,
    onDemandBases,
  };
}

/** Only a ledger: a stack that is gone leaves its table. */
export const stackOfTable = (table: string, clock: () => number): Stack => ({
  ledger: ledgerOf(table, clock),
  functions: [],
  deadLetters: () =>
    Promise.reject(new Stop('A ledger alone has no dead-letter queue.', 'Leave out --table and LEDGER_TABLE.')),
  explain: () => Promise.reject(new Stop('A ledger alone decides nothing.', 'Leave out --table and LEDGER_TABLE.')),
  keptVolumes,
  onDemandBases,
});

async function onDemandBases(names: readonly string[]): Promise<Map<string, number | null>> {
  const groups = await describeAutoScalingGroups(names);
  return new Map(
    groups.map(({ AutoScalingGroupName = '', MixedInstancesPolicy: mixed }) => [
      AutoScalingGroupName,
      mixed === undefined ? null : (mixed.InstancesDistribution?.OnDemandBaseCapacity ?? 0),
    ]),
  );
}

/** Found by the tag that a volume keeps through all states. */
async function keptVolumes(): Promise<KeptVolume[]> {
  const volumes = await describeVolumesBy('tag-key', [RESCUE_TAGS.instance]);
  return volumes.map(({ VolumeId = '', Size = 0, State = '', Tags = [] }) => ({
    id: VolumeId,
    GiB: Size,
    state: State,
    tags: Object.fromEntries(Tags.map(({ Key = '', Value = '' }) => [Key, Value])),
  }));
}

async function explain({ arn }: DeployedFunction, resource: string, as: 'alarm' | 'tick'): Promise<Result> {
  const event = { source: 'reflex', 'detail-type': 'Explain', detail: { resource, as } };
  const answer = await client(LambdaClient).send(
    new InvokeCommand({ FunctionName: arn, Payload: JSON.stringify(event) }),
  );
  const payload = Buffer.from(answer.Payload ?? []).toString();
  if (answer.FunctionError !== undefined) {
    throw new Stop(`${arn} failed: ${payload.slice(0, 400)}`, 'Its log group has the reason.');
  }
  return JSON.parse(payload) as Result;
}

async function configurationOf(
  functionName: string,
  name: string,
): Promise<(DeployedFunction & { readonly table: string }) | undefined> {
  try {
    const { FunctionArn = '', Environment } = await client(LambdaClient).send(
      new GetFunctionConfigurationCommand({ FunctionName: functionName }),
    );
    const { LEDGER_TABLE: table, INBOX_URL: inboxUrl, MODE: mode } = Environment?.Variables ?? {};
    if (table === undefined || inboxUrl === undefined || mode === undefined) {
      throw new Stop(
        `${functionName} lacks LEDGER_TABLE, INBOX_URL or MODE in its environment.`,
        'It is not of Reflex, or you may not decrypt its environment (kms:Decrypt); --table names the ledger directly.',
      );
    }
    return { name, arn: FunctionArn, mode: mode as Mode, inboxUrl, table };
  } catch (error) {
    if (isErrorNamed(error, 'ResourceNotFoundException')) return undefined;
    throw error;
  }
}

const ledgerOf = (table: string, clock: () => number) =>
  ledgerOn({
    table: dynamoTable(client(DynamoDBClient), table, (repetition) => setTimeout(100 * 2 ** repetition)),
    clock,
  });
