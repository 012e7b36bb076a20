import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { GetQueueAttributesCommand, SetQueueAttributesCommand } from '@aws-sdk/client-sqs';
import { build } from '../build.ts';
import { functionsOf, props, type Template } from '../template.ts';
import { type Aws, cloudFormation, putObject } from './aws.ts';
import { codeKey, type Difference, withCode, withoutUnknown, withProperty, withVariables } from './deployable.ts';
import { type ZipEntry, zip } from './zip.ts';

interface StackResource {
  readonly id: string;
  readonly type: string;
  readonly physicalId: string;
}

export interface Stack {
  readonly resources: readonly StackResource[];
  /** @throws NotDeployed where the stack has no such resource. */
  physicalId(logicalId: string): string;
}

/** The emulator cannot make a resource, so what needs it cannot be shown. */
export class NotDeployed extends Error {
  override readonly name = 'NotDeployed';
  constructor(logicalId: string) {
    super(`${logicalId} is not in the stack: the emulator cannot make it`);
  }
}

const bucket = 'drill-code';
const stackName = 'reflex';
const deployLimitMs = 60_000;

interface Package {
  readonly folder: string;
  readonly bytes: number;
  readonly archive: Buffer;
}

/** Bundles every function as `npm run build` does, and zips it. */
export function packages(template: Template, directory: string): Promise<Package[]> {
  return Promise.all(
    functionsOf(template).map(async (fn) => {
      const folder = join(directory, fn.folder);
      const { bytes } = await build(fn, folder);
      const entries: ZipEntry[] = readdirSync(folder).map((name) => ({ name, data: readFileSync(join(folder, name)) }));
      return { folder: fn.folder, bytes, archive: zip(entries) };
    }),
  );
}

/** Resource types that the emulator of this Python environment can make. */
export async function knownTypes(python: string): Promise<ReadonlySet<string>> {
  const script =
    'import json; from ministack.services.cloudformation.provisioners import _RESOURCE_HANDLERS as h; print(json.dumps(list(h)))';
  const { stdout } = await promisify(execFile)(python, ['-c', script], { env: { PATH: process.env.PATH } });
  return new Set(JSON.parse(stdout) as string[]);
}

/** Where the embedded AWS has what ministack lacks. */
export interface Elsewhere {
  /** Instances, volumes, container instances, Run Command. */
  readonly hosts: string;
  /** ECS with containers that end. */
  readonly containers: string;
  /** The tags of what is there. */
  readonly tags: string;
}

/** A stack parameter that is not left at its default. */
export interface Parameter {
  readonly name: string;
  readonly value: string;
  readonly why: string;
}

/** The copy of template.yaml that is deployed, and all it has otherwise. */
export function deployable(
  template: Template,
  known: ReadonlySet<string>,
  { hosts, containers, tags }: Elsewhere,
  parameters: readonly Parameter[],
): { readonly template: Template; readonly differences: readonly Difference[] } {
  const reduced = withoutUnknown(template, known);
  const hasty = withProperty(
    reduced.template,
    'ReshardKinesisInbox',
    'VisibilityTimeout',
    8,
    'a message that fails is tried five times before it becomes a dead letter; here in seconds, not in half an hour',
  );
  const saved = withVariables(
    hasty.template,
    'SaveSpotLogs',
    {
      SHIP_LOGS_DOCUMENT: 'reflex-ship-logs',
      AWS_ENDPOINT_URL_EC2: hosts,
      AWS_ENDPOINT_URL_ECS: hosts,
      AWS_ENDPOINT_URL_SSM: hosts,
      AWS_ENDPOINT_URL_RESOURCE_GROUPS_TAGGING_API: tags,
    },
    'moto has instances, volumes, hosts of ECS and Run Command; the drill asks it for their tags',
  );
  const rescued = withVariables(
    saved.template,
    'RescueSpotLogs',
    { AWS_ENDPOINT_URL_EC2: hosts, AWS_ENDPOINT_URL_ECS: containers },
    'moto has volumes and snapshots; the drill itself runs the container of a task, and shows how it ended',
  );
  const restored = withVariables(
    rescued.template,
    'RestoreCapacity',
    { AWS_ENDPOINT_URL_ECS: containers },
    'the embedded ECS has room for every task; the drill takes Spot capacity away, and gives it back',
  );
  const resumed = withVariables(
    restored.template,
    'ResumeFargate',
    { AWS_ENDPOINT_URL_ECS: containers },
    'the drill runs the worker, and shows how it ended',
  );
  const tuned = withVariables(
    resumed.template,
    'TuneAlarms',
    { AWS_ENDPOINT_URL_RESOURCE_GROUPS_TAGGING_API: tags },
    'moto has streams and alarms; the drill asks it for their tags',
  );
  const given = parameters.map(({ name, value, why }): Difference => {
    const { Default: usual } = template.Parameters[name] ?? {};
    return { what: `parameter ${name}: ${usual === '' ? 'empty' : usual} -> ${value}`, why };
  });
  const late: Difference = {
    what: 'RedrivePolicy of queues: set with SetQueueAttributes',
    why: "the emulator's CloudFormation leaves it out",
  };
  const differences = [hasty, saved, rescued, restored, resumed, tuned].map(({ difference }) => difference);
  return {
    template: withCode(tuned.template, bucket),
    differences: [...reduced.leftOut, ...differences, late, ...given],
  };
}

/**
 * Gives the queues their RedrivePolicy, which the emulator's CloudFormation leaves out, as the template states it.
 * Only a policy whose dead-letter queue belongs to the stack, as `!GetAtt Queue.Arn`, is understood.
 */
async function completeQueues({ sqs }: Aws, template: Template, stack: Stack): Promise<void> {
  for (const [id, { Type, Properties }] of Object.entries(template.Resources)) {
    const { deadLetterTargetArn, maxReceiveCount } = props(Properties?.RedrivePolicy);
    if (Type !== 'AWS::SQS::Queue' || deadLetterTargetArn === undefined) continue;
    const [target] = [props(deadLetterTargetArn)['Fn::GetAtt']].flat();
    const { Attributes = {} } = await sqs.send(
      new GetQueueAttributesCommand({ QueueUrl: stack.physicalId(String(target)), AttributeNames: ['QueueArn'] }),
    );
    const policy = { deadLetterTargetArn: Attributes.QueueArn, maxReceiveCount };
    await sqs.send(
      new SetQueueAttributesCommand({
        QueueUrl: stack.physicalId(id),
        Attributes: { RedrivePolicy: JSON.stringify(policy) },
      }),
    );
  }
}

/** @throws Error with CloudFormation's reason where the stack fails. */
export async function deploy(
  aws: Aws,
  template: Template,
  code: readonly Package[],
  parameters: readonly Parameter[],
): Promise<Stack> {
  await putObject(aws, `/${bucket}`);
  await Promise.all(code.map(({ folder, archive }) => putObject(aws, `/${bucket}/${codeKey(folder)}`, archive)));
  const given = parameters.flatMap(({ name, value }, index) => [
    [`Parameters.member.${index + 1}.ParameterKey`, name],
    [`Parameters.member.${index + 1}.ParameterValue`, value],
  ]);
  await cloudFormation(aws, 'CreateStack', {
    StackName: stackName,
    TemplateBody: JSON.stringify(template),
    'Capabilities.member.1': 'CAPABILITY_IAM',
    'Capabilities.member.2': 'CAPABILITY_AUTO_EXPAND',
    ...Object.fromEntries(given),
  });
  await complete(aws);
  const listed = members(await cloudFormation(aws, 'DescribeStackResources', { StackName: stackName }));
  const resources = listed.map((xml) => ({
    id: element(xml, 'LogicalResourceId'),
    type: element(xml, 'ResourceType'),
    physicalId: element(xml, 'PhysicalResourceId'),
  }));
  const stack: Stack = {
    resources,
    physicalId(logicalId) {
      const found = resources.find(({ id }) => id === logicalId);
      if (found === undefined) throw new NotDeployed(logicalId);
      return found.physicalId;
    },
  };
  await completeQueues(aws, template, stack);
  return stack;
}

async function complete(aws: Aws): Promise<void> {
  const limit = Date.now() + deployLimitMs;
  for (;;) {
    const status = element(await cloudFormation(aws, 'DescribeStacks', { StackName: stackName }), 'StackStatus');
    if (status === 'CREATE_COMPLETE') return;
    if (status !== 'CREATE_IN_PROGRESS' && !status.endsWith('ROLLBACK_IN_PROGRESS')) {
      throw new Error(`The stack is ${status}. ${await failures(aws)}`);
    }
    if (Date.now() > limit) throw new Error(`The stack is still ${status} after ${deployLimitMs / 1000} s.`);
    await sleep(100);
  }
}

async function failures(aws: Aws): Promise<string> {
  const events = members(await cloudFormation(aws, 'DescribeStackEvents', { StackName: stackName }));
  return events
    .filter((xml) => element(xml, 'ResourceStatus').endsWith('_FAILED'))
    .map((xml) => `${element(xml, 'LogicalResourceId')}: ${element(xml, 'ResourceStatusReason')}`)
    .join('; ');
}

function members(xml: string): string[] {
  return [...xml.matchAll(/<member>(.*?)<\/member>/gs)].map(([, inner = '']) => inner);
}

function element(xml: string, name: string): string {
  return new RegExp(`<${name}>(.*?)</${name}>`, 's').exec(xml)?.[1] ?? '';
}
